/** HostEndpoint: an interface of a node itself, under policy. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { interfaceName, name, portName } from '../schema/names.ts';
import { address } from '../schema/network.ts';
import { port } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { hasPorts, protocol } from './rule.ts';

const endpointPort = rules(
  z.strictObject({ name: portName(), protocol, port: port() }),
  function* (value): Generator<Complaint> {
    if (hasPorts(value.protocol)) return;
    yield { path: ['protocol'], what: `${value.protocol} has no ports`, remedy: 'use TCP, UDP or SCTP' };
  },
);

const spec = rules(
  z.strictObject({
    node: name(),
    /** `*` for all interfaces of the host together. */
    interfaceName: z.exactOptional(interfaceName({ any: true })),
    expectedIPs: z.exactOptional(z.array(address())),
    profiles: z.exactOptional(z.array(name())),
    ports: z.exactOptional(z.array(endpointPort)),
  }),
  function* (spec): Generator<Complaint> {
    if (spec.interfaceName !== undefined || (spec.expectedIPs ?? []).length > 0) return;
    yield {
      path: ['interfaceName'],
      what: 'nothing says which interface is meant',
      remedy: 'set interfaceName or expectedIPs',
    };
  },
);

export const hostEndpoint = {
  kind: 'HostEndpoint',
  plural: 'hostendpoints',
  shortNames: ['hep', 'heps'],
  namespaced: false,
  schema: resource('HostEndpoint', spec),
} as const satisfies KindNames<'HostEndpoint'> & { schema: z.ZodType };

export type HostEndpoint = z.output<typeof hostEndpoint.schema>;
