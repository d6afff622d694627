/** NetworkSet and GlobalNetworkSet: prefixes under labels, so that rules can select them like endpoints. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { cidr } from '../schema/network.ts';
import { type KindNames, type Metadata, resource } from './kind.ts';

/** Single addresses and stray host bits are accepted, as in Calico; the value is masked and has a length. */
const spec = z.strictObject({
  nets: z.exactOptional(z.array(cidr({ bare: true, hostBits: 'mask' }))),
});

/** The label is made from the real namespace; one set by hand would lie. */
function* labelClaims({ metadata }: { readonly metadata: Metadata }): Generator<Complaint> {
  const label = 'projectcalico.org/namespace';
  if (!Object.hasOwn(metadata.labels ?? {}, label)) return;
  yield {
    path: ['metadata', 'labels', label],
    what: 'this label is made by the system',
    remedy: 'remove it',
  };
}

export const networkSet = {
  kind: 'NetworkSet',
  plural: 'networksets',
  shortNames: ['netset', 'netsets'],
  namespaced: true,
  schema: rules(resource('NetworkSet', spec.prefault({})), labelClaims),
} as const satisfies KindNames<'NetworkSet'> & { schema: z.ZodType };

export const globalNetworkSet = {
  kind: 'GlobalNetworkSet',
  plural: 'globalnetworksets',
  shortNames: ['gns', 'gnset', 'gnsets'],
  namespaced: false,
  schema: rules(resource('GlobalNetworkSet', spec.prefault({})), labelClaims),
} as const satisfies KindNames<'GlobalNetworkSet'> & { schema: z.ZodType };

export type NetworkSet = z.output<typeof networkSet.schema>;
export type GlobalNetworkSet = z.output<typeof globalNetworkSet.schema>;
