/** IPPool: a prefix that addresses are taken from, in blocks. */
import { z } from 'zod';
import { Prefix } from '../../net/addr/index.ts';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { cidr } from '../schema/network.ts';
import { integer, selector } from '../schema/scalars.ts';
import { conditions, type KindNames, resource } from './kind.ts';

const encapsulation = z.enum(['Never', 'Always', 'CrossSubnet']);

const fields = z.strictObject({
  cidr: cidr({ hostBits: 'refuse' }),
  vxlanMode: encapsulation.prefault('Never'),
  ipipMode: encapsulation.prefault('Never'),
  natOutgoing: z.exactOptional(z.boolean()),
  disabled: z.exactOptional(z.boolean()),
  disableBGPExport: z.exactOptional(z.boolean()),
  /** Length of the blocks; 26 (IPv4) or 122 (IPv6) when left out. */
  blockSize: z.exactOptional(integer(20, 128)),
  nodeSelector: selector().prefault('all()'),
  namespaceSelector: z.exactOptional(selector()),
  allowedUses: z.array(z.enum(['Workload', 'Tunnel', 'LoadBalancer'])).prefault(['Workload', 'Tunnel']),
  assignmentMode: z.enum(['Automatic', 'Manual']).prefault('Automatic'),
});

type Fields = z.output<typeof fields>;

/** Lengths of blocks that Calico's IPAM can keep in one object. */
const BLOCK_LENGTHS = { 4: { min: 20, max: 32, usual: 26 }, 6: { min: 116, max: 128, usual: 122 } } as const;

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10']
  .map((text) => Prefix.parse(text))
  .filter((prefix) => prefix !== undefined);

function* poolComplaints(spec: Fields): Generator<Complaint> {
  const pool = Prefix.parse(spec.cidr);
  if (pool === undefined) return;
  yield* sizeComplaints(spec, pool);
  for (const linkLocal of LINK_LOCAL) {
    if (!pool.overlaps(linkLocal)) continue;
    yield {
      path: ['cidr'],
      what: `${quote(spec.cidr)} overlaps the link-local range ${linkLocal.toString()}`,
      remedy: 'choose a prefix outside it, such as one from 10.0.0.0/8 or fd00::/8',
    };
  }
  yield* tunnelComplaints(spec, pool);
  yield* loadBalancerComplaints(spec);
}

function* sizeComplaints(spec: Fields, pool: Prefix): Generator<Complaint> {
  const { min, max, usual } = BLOCK_LENGTHS[pool.version];
  const blockSize = spec.blockSize ?? usual;
  if (blockSize < min || blockSize > max) {
    yield {
      path: ['blockSize'],
      what: `${blockSize} is no length for a block of IPv${pool.version}`,
      remedy: `use a length from ${min} to ${max}, or leave it out for ${usual}`,
    };
  } else if (pool.length > blockSize && spec.disabled !== true) {
    yield {
      path: ['cidr'],
      what: `${quote(spec.cidr)} is smaller than one block of /${blockSize}`,
      remedy: `use a prefix of length ${blockSize} or less, or set a longer blockSize (at most ${max})`,
    };
  }
}

function* tunnelComplaints(spec: Fields, pool: Prefix): Generator<Complaint> {
  if (spec.ipipMode === 'Never') return;
  if (pool.version === 6) {
    yield {
      path: ['ipipMode'],
      what: 'IPIP carries no IPv6',
      remedy: 'use Never, and vxlanMode if the pool needs a tunnel',
    };
  }
  if (spec.vxlanMode !== 'Never') {
    yield {
      path: ['ipipMode'],
      what: 'ipipMode and vxlanMode are both on',
      remedy: 'set one of them to Never',
    };
  }
}

function* loadBalancerComplaints(spec: Fields): Generator<Complaint> {
  if (!spec.allowedUses.includes('LoadBalancer')) return;
  if (spec.allowedUses.length > 1) {
    yield {
      path: ['allowedUses'],
      what: 'LoadBalancer stands beside another use',
      remedy: 'make a pool of its own for it',
    };
  }
  if (spec.ipipMode !== 'Never' || spec.vxlanMode !== 'Never') {
    yield {
      path: ['allowedUses'],
      what: 'a LoadBalancer pool has no tunnels',
      remedy: 'set ipipMode and vxlanMode to Never',
    };
  }
  if (spec.disableBGPExport === true) {
    yield {
      path: ['disableBGPExport'],
      what: 'a LoadBalancer pool must be exported',
      remedy: 'set it to false',
    };
  }
  if (spec.nodeSelector !== 'all()') {
    yield {
      path: ['nodeSelector'],
      what: 'a LoadBalancer pool is not bound to nodes',
      remedy: 'write all()',
    };
  }
}

const spec = rules(fields, poolComplaints).overwrite((spec) => ({
  ...spec,
  blockSize: spec.blockSize ?? BLOCK_LENGTHS[spec.cidr.includes(':') ? 6 : 4].usual,
  allowedUses: spec.allowedUses.length === 0 ? ['Workload' as const, 'Tunnel' as const] : spec.allowedUses,
}));

export const ipPool = {
  kind: 'IPPool',
  plural: 'ippools',
  shortNames: ['ipp', 'ipps', 'pool', 'pools'],
  namespaced: false,
  schema: resource('IPPool', spec).extend({ status: z.exactOptional(conditions) }),
} as const satisfies KindNames<'IPPool'> & { schema: z.ZodType };

export type IPPool = z.output<typeof ipPool.schema>;
