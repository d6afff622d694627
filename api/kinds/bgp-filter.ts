/** BGPFilter: which routes a peer may send us and get from us; the first rule that matches decides. */
import { z } from 'zod';
import type { IpVersion } from '../../net/addr/index.ts';
import { type Complaint, rules } from '../schema/field.ts';
import { interfaceName } from '../schema/names.ts';
import { asNumber, cidr, community } from '../schema/network.ts';
import { integer } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';

const MAX_PRIORITY = 2_147_483_646;

const operation = rules(
  z.strictObject({
    addCommunity: z.exactOptional(z.strictObject({ value: community() })),
    prependASPath: z.exactOptional(z.strictObject({ prefix: z.array(asNumber()).min(1).max(10) })),
    setPriority: z.exactOptional(z.strictObject({ value: integer(1, MAX_PRIORITY) })),
  }),
  function* (operation): Generator<Complaint> {
    if (Object.keys(operation).length === 1) return;
    yield {
      what: 'an operation does exactly one thing',
      remedy: 'set one of addCommunity, prependASPath and setPriority',
    };
  },
);

function filterRule(version: IpVersion) {
  const length = integer(0, version === 4 ? 32 : 128);
  return rules(
    z.strictObject({
      action: z.enum(['Accept', 'Reject']),
      cidr: z.exactOptional(cidr({ version, bare: true, hostBits: 'refuse' })),
      matchOperator: z.exactOptional(z.enum(['Equal', 'NotEqual', 'In', 'NotIn'])),
      prefixLength: z.exactOptional(
        z.strictObject({ min: z.exactOptional(length), max: z.exactOptional(length) }),
      ),
      source: z.exactOptional(z.enum(['RemotePeers'])),
      interface: z.exactOptional(interfaceName({ any: true, wildcard: true })),
      peerType: z.exactOptional(z.enum(['eBGP', 'iBGP'])),
      communities: z.exactOptional(z.strictObject({ values: z.array(community()).min(1).max(1) })),
      asPathPrefix: z.exactOptional(z.array(asNumber())),
      priority: z.exactOptional(integer(1, MAX_PRIORITY)),
      operations: z.exactOptional(z.array(operation).min(1).max(10)),
    }),
    function* (rule): Generator<Complaint> {
      if (rule.cidr !== undefined && rule.matchOperator === undefined) {
        yield {
          path: ['matchOperator'],
          what: 'cidr is set, but not how to compare with it',
          remedy: 'add Equal, NotEqual, In or NotIn',
        };
      }
      for (const field of ['matchOperator', 'prefixLength'] as const) {
        if (rule[field] === undefined || rule.cidr !== undefined) continue;
        yield {
          path: [field],
          what: 'there is no cidr to compare with',
          remedy: `add cidr, or remove ${field}`,
        };
      }
      const { min = 0, max = 128 } = rule.prefixLength ?? {};
      if (min > max)
        yield { path: ['prefixLength'], what: `min ${min} is above max ${max}`, remedy: 'swap them' };
      if (rule.operations !== undefined && rule.action !== 'Accept') {
        yield {
          path: ['operations'],
          what: 'a rejected route cannot be changed',
          remedy: 'use action Accept, or remove operations',
        };
      }
    },
  );
}

const ruleV4 = filterRule(4);
const ruleV6 = filterRule(6);

export type BGPFilterRule = z.output<typeof ruleV4>;

const spec = z.strictObject({
  exportV4: z.exactOptional(z.array(ruleV4)),
  importV4: z.exactOptional(z.array(ruleV4)),
  exportV6: z.exactOptional(z.array(ruleV6)),
  importV6: z.exactOptional(z.array(ruleV6)),
});

export const bgpFilter = {
  kind: 'BGPFilter',
  plural: 'bgpfilters',
  shortNames: ['bgpf', 'bgpfs'],
  namespaced: false,
  schema: resource('BGPFilter', spec.prefault({})),
} as const satisfies KindNames<'BGPFilter'> & { schema: z.ZodType };

export type BGPFilter = z.output<typeof bgpFilter.schema>;
