/**
 * FelixConfiguration: the dataplane agent, for the cluster (`default`), for one node (`node.<name>`), or for the nodes
 * that `nodeSelector` selects (any other name).
 */
import type { z } from 'zod';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { felixFields } from './felix-fields.ts';
import { type KindNames, resource } from './kind.ts';

type FelixConfigurationSpec = z.output<typeof felixFields>;

const spec = rules(felixFields, function* (spec: FelixConfigurationSpec): Generator<Complaint> {
  if (spec.routeTableRange === undefined || spec.routeTableRanges === undefined) return;
  yield {
    path: ['routeTableRange'],
    what: 'routeTableRanges is set too, and the two exclude each other',
    remedy: 'remove routeTableRange, which it replaces',
  };
});

const schema = rules(
  resource('FelixConfiguration', spec.prefault({})),
  function* ({ metadata, spec }): Generator<Complaint> {
    const fixed = metadata.name === 'default' || /^node\..+/.test(metadata.name);
    if (fixed && spec.nodeSelector !== undefined) {
      yield {
        path: ['spec', 'nodeSelector'],
        what: `${quote(metadata.name)} says by its name where it applies`,
        remedy: 'remove nodeSelector, or give the resource another name',
      };
    }
    if (fixed || spec.nodeSelector !== undefined) return;
    yield {
      path: ['metadata', 'name'],
      what: `${quote(metadata.name)} would never be read`,
      remedy:
        'name it default for the whole cluster, or node.<name of the node>, or say with spec.nodeSelector on which nodes it applies',
    };
  },
);

export const felixConfiguration = {
  kind: 'FelixConfiguration',
  plural: 'felixconfigurations',
  shortNames: ['felixconfig', 'felixconfigs'],
  namespaced: false,
  schema,
} as const satisfies KindNames<'FelixConfiguration'> & { schema: z.ZodType };

export type FelixConfiguration = z.output<typeof felixConfiguration.schema>;
