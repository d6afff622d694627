/**
 * BlockAffinity as the v3 API shows it: which node a block of addresses belongs to. It is no resource of its own here:
 * IPAM keeps affinities (`ipam/`), in a form of its own, and `poplin ipam show --show-blocks` shows them.
 */
import { z } from 'zod';
import { cidr } from '../schema/network.ts';
import { type KindNames, resource } from './kind.ts';

const spec = z.strictObject({
  cidr: cidr({ hostBits: 'refuse' }),
  node: z.string(),
  /** `host` for nodes, `virtual` for owners such as `load-balancer`. */
  type: z.exactOptional(z.string()),
  state: z.enum(['', 'confirmed', 'pending', 'pendingDeletion']),
  /** Text in `crd.projectcalico.org/v1`, a truth value in `projectcalico.org/v3`. */
  deleted: z.union([z.boolean(), z.enum(['true', 'false'])]).prefault(false),
});

export const blockAffinity = {
  kind: 'BlockAffinity',
  plural: 'blockaffinities',
  shortNames: ['affinity', 'affinities'],
  namespaced: false,
  schema: resource('BlockAffinity', spec),
} as const satisfies KindNames<'BlockAffinity'> & { schema: z.ZodType };

export type BlockAffinity = z.output<typeof blockAffinity.schema>;
