/** IPReservation: addresses that IPAM never hands out by itself. */
import { z } from 'zod';
import { cidr } from '../schema/network.ts';
import { type KindNames, resource } from './kind.ts';

const spec = z.strictObject({
  reservedCIDRs: z.exactOptional(z.array(cidr({ bare: true, hostBits: 'mask' }))),
});

export const ipReservation = {
  kind: 'IPReservation',
  plural: 'ipreservations',
  shortNames: ['ipres'],
  namespaced: false,
  schema: resource('IPReservation', spec.prefault({})),
} as const satisfies KindNames<'IPReservation'> & { schema: z.ZodType };

export type IPReservation = z.output<typeof ipReservation.schema>;
