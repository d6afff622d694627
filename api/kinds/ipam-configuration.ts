/** IPAMConfiguration: how nodes share out blocks. There is one, named `default`. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { integer } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { onlyNamed } from './naming.ts';

const spec = rules(
  z.strictObject({
    /** True: a node never borrows single addresses from another node's block. */
    strictAffinity: z.boolean().prefault(false),
    autoAllocateBlocks: z.boolean().prefault(true),
    /** 0 means no limit of its own (20 then applies). */
    maxBlocksPerHost: integer(0, 1_000_000).prefault(0),
    kubeVirtVMAddressPersistence: z.exactOptional(z.enum(['Enabled', 'Disabled'])),
    /** How long a released address rests before it is given again; no longer than Calico's definition lets through. */
    ipCooldownSeconds: z.exactOptional(integer(0, 1200)),
    /** What ipCooldownSeconds was called in previews of Calico 3.33. */
    minIPReclaimAgeSeconds: z.exactOptional(integer(0, 0x7fff_ffff)),
  }),
  function* (spec): Generator<Complaint> {
    if (!spec.strictAffinity && !spec.autoAllocateBlocks) {
      yield {
        path: ['autoAllocateBlocks'],
        what: 'nodes may neither claim blocks nor rely on their own',
        remedy: 'set autoAllocateBlocks or strictAffinity to true',
      };
    }
    if (spec.maxBlocksPerHost > 0 && !spec.strictAffinity) {
      yield {
        path: ['maxBlocksPerHost'],
        what: 'a limit on blocks means little while nodes may borrow from others',
        remedy: 'set strictAffinity to true, or leave maxBlocksPerHost at 0',
      };
    }
  },
);

export const ipamConfiguration = {
  kind: 'IPAMConfiguration',
  plural: 'ipamconfigurations',
  shortNames: ['ipamconfig', 'ipamconfigs'],
  namespaced: false,
  schema: rules(resource('IPAMConfiguration', spec.prefault({})), onlyNamed('default')),
} as const satisfies KindNames<'IPAMConfiguration'> & { schema: z.ZodType };

export type IPAMConfiguration = z.output<typeof ipamConfiguration.schema>;
