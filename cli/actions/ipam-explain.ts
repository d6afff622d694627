/** ipam explain: all that is known of one address, and what follows from it. */
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { explain, type Explanation } from '../../ipam/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { structured } from '../output/structured.ts';
import { isWorkload } from '../resources/ipam-findings.ts';
import { withStore } from '../store.ts';
import type { ipamExplainTable } from '../tables/ipam.ts';

export const ipamExplain: Action<Arguments<typeof ipamExplainTable>> = async (args, terminal) => {
  const address = Address.parse(args.address);
  if (address === undefined) throw new UsageError(`${args.address} is not an IP address`);
  const known = await withStore(args, terminal, async ({ store, client }) => ({
    explanation: await explain(store, address),
    endpoints: unwrap(await client.list('WorkloadEndpoint')).filter((endpoint) => uses(endpoint, address)),
  }));
  terminal.out(structured(valueOf(known), args.output) ?? tell(known));
  return EXIT.ok;
};

interface Known {
  readonly explanation: Explanation;
  readonly endpoints: readonly WorkloadEndpoint[];
}

function uses({ spec }: WorkloadEndpoint, address: Address): boolean {
  return (spec.ipNetworks ?? []).some((network) => Prefix.parse(network)?.address.equals(address) === true);
}

const nameOf = ({ metadata }: WorkloadEndpoint): string => `${metadata.namespace}/${metadata.name}`;

function valueOf(known: Known): object {
  const { address, pools, reservations, block, allocation, handle } = known.explanation;
  return {
    ip: address,
    verdict: verdictOf(known),
    pools: pools.map(({ metadata, spec }) => ({
      name: metadata.name,
      cidr: spec.cidr,
      disabled: spec.disabled === true,
    })),
    reservations,
    block: block === undefined ? null : { cidr: block.cidr, size: block.size, free: block.free },
    affinity:
      block?.affinity === undefined
        ? null
        : { owner: block.affinity, state: block.state ?? null, claimed: block.claimed ?? null },
    allocation:
      allocation === undefined
        ? null
        : {
            handle: allocation.handle ?? null,
            node: allocation.attributes['node'] ?? null,
            since: allocation.since ?? null,
            released: allocation.releasedAt ?? null,
            borrowed: allocation.borrowed,
            sequence: allocation.sequence ?? null,
            attributes: allocation.attributes,
          },
    handle: handle ?? null,
    endpoints: known.endpoints.map((endpoint) => ({
      name: nameOf(endpoint),
      node: endpoint.spec.node,
      interface: endpoint.spec.interfaceName,
    })),
  };
}

/** One sentence, the most important thing first. */
function verdictOf({ explanation, endpoints }: Known): string {
  const { address, pools, reservations, allocation, block } = explanation;
  const ip = address.toString();
  const users = endpoints.map(nameOf).join(' and ');
  if (endpoints.length > 1) return `used twice: by ${users}; delete the endpoint whose workload is gone`;
  if (allocation?.releasedAt !== undefined)
    return `released at ${allocation.releasedAt}, cooling down before it is given again`;
  if (allocation !== undefined) {
    if (endpoints.length > 0) return `in use by ${users}`;
    return isWorkload(allocation)
      ? `leaked: it is held, and no workload endpoint uses it; poplin ipam release --ip ${ip} frees it`
      : `held for ${allocation.attributes['type'] ?? 'something that is no workload'}`;
  }
  if (endpoints.length > 0)
    return `used by ${users}, though IPAM has not given it: another workload could get it`;
  const [pool] = pools;
  if (pool === undefined) return 'outside every IPPool: never given';
  if (pool.spec.disabled === true) return `free, but IPPool ${pool.metadata.name} is disabled: not given now`;
  if (reservations.length > 0)
    return `free, but reserved by IPReservation ${reservations.join(', ')}: given only to who asks for it`;
  if (block === undefined) return 'free: no node has claimed its block yet';
  return block.affinity === undefined
    ? "free, in a block that is nobody's"
    : `free, in a block of ${block.affinity}`;
}

function tell(known: Known): string {
  const { address, pools, block, allocation, handle } = known.explanation;
  const lines: (readonly [string, string])[] = [
    [
      'Pool',
      pools
        .map(({ metadata, spec }) => `${metadata.name} (${spec.cidr}${spec.disabled ? ', disabled' : ''})`)
        .join(', ') || 'none',
    ],
    [
      'Block',
      block === undefined
        ? 'none'
        : `${block.cidr.toString()}, ${block.size - block.free} of ${block.size} in use`,
    ],
  ];
  if (block !== undefined) lines.push(['Affinity', affinityText(block)]);
  if (allocation !== undefined) {
    lines.push(
      ['Handle', handleText(allocation.handle, handle)],
      [
        'Node',
        `${allocation.attributes['node'] ?? 'not said'}${allocation.borrowed ? ', which borrowed it' : ''}`,
      ],
      ['Since', allocation.since ?? 'not said'],
    );
    for (const [name, value] of Object.entries(allocation.attributes).sort(byName))
      if (name !== 'node' && name !== 'timestamp') lines.push(['Attribute', `${name}: ${value}`]);
  }
  for (const endpoint of known.endpoints)
    lines.push([
      'Workload',
      `${nameOf(endpoint)}, ${endpoint.spec.interfaceName ?? 'no interface'} on ${endpoint.spec.node}`,
    ]);
  return [
    `IP ${address.toString()} is ${verdictOf(known)}\n`,
    ...lines.map(([name, text]) => `  ${name.padEnd(11)}${text}\n`),
  ].join('');
}

function affinityText({ affinity, state, claimed }: NonNullable<Explanation['block']>): string {
  if (affinity === undefined) return 'none: no node advertises the block';
  return [affinity, state ?? 'without an affinity object', claimed && `claimed ${claimed}`]
    .filter((part) => part !== undefined && part !== '')
    .join(', ');
}

function handleText(name: string | undefined, handle: Explanation['handle']): string {
  if (name === undefined) return 'none';
  if (handle === undefined) return `${name}, which has no object of its own (poplin ipam check)`;
  const count = handle.counts.reduce((sum, one) => sum + one.count, 0);
  return `${name}, ${count} ${count === 1 ? 'address' : 'addresses'} in all`;
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
