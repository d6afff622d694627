/** ipam check: addresses taken against addresses used. Reads only. */
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import type { BlockView, HandleView } from '../../ipam/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { structured } from '../output/structured.ts';
import { usageOf } from '../resources/usage.ts';
import { ipamOf, withStore } from '../store.ts';
import type { ipamCheckTable } from '../tables/ipam.ts';

/** One thing that does not add up. */
export interface Finding {
  readonly kind: 'leaked' | 'untaken' | 'doubled' | 'orphaned-block' | 'wrong-handle';
  /** An address, a block or a handle. */
  readonly what: string;
  readonly why: string;
}

export const ipamCheck: Action<Arguments<typeof ipamCheckTable>> = async (args, terminal) => {
  const findings = await withStore(args, terminal, async (open) => {
    const ipam = ipamOf(open);
    const blocks = await ipam.blocks();
    const { orphans } = usageOf(unwrap(await open.client.list('IPPool')), blocks);
    return [
      ...compareAddresses(blocks, unwrap(await open.client.list('WorkloadEndpoint'))),
      ...orphans.map(
        ({ cidr }): Finding => ({
          kind: 'orphaned-block',
          what: cidr.toString(),
          why: 'no IPPool contains this block',
        }),
      ),
      ...compareHandles(blocks, await ipam.handles()),
    ];
  });
  terminal.out(structured(findings, args.output) ?? tell(findings));
  return findings.length === 0 ? EXIT.ok : EXIT.failure;
};

function tell(findings: readonly Finding[]): string {
  if (findings.length === 0)
    return 'Every address that is taken is used, and every address that is used is taken.\n';
  const lines = findings.map(({ what, why }) => `${what}: ${why}\n`);
  return `${lines.join('')}${findings.length} finding(s). Nothing was changed.\n`;
}

/** Pure. Addresses without a pod or an attachment in their attributes (tunnels, load balancers) need no endpoint. */
export function compareAddresses(
  blocks: readonly BlockView[],
  endpoints: readonly WorkloadEndpoint[],
): Finding[] {
  const users = usersByAddress(endpoints);
  const findings: Finding[] = [];
  const taken = new Set<string>();
  for (const { address, handle, attributes } of blocks.flatMap(({ allocations }) => allocations)) {
    const text = address.toString();
    taken.add(text);
    const isWorkload = attributes['pod'] !== undefined || attributes['cni-attachment'] !== undefined;
    if (isWorkload && !users.has(text)) {
      findings.push({
        kind: 'leaked',
        what: text,
        why: `held by ${handle ?? 'no handle'}, used by no workload endpoint`,
      });
    }
  }
  for (const [address, names] of users) {
    if (names.length > 1)
      findings.push({ kind: 'doubled', what: address, why: `used by ${names.join(' and ')}` });
    if (!taken.has(address)) {
      findings.push({ kind: 'untaken', what: address, why: `used by ${names.join(', ')}, held by nobody` });
    }
  }
  return findings;
}

function usersByAddress(endpoints: readonly WorkloadEndpoint[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { metadata, spec } of endpoints) {
    for (const network of spec.ipNetworks ?? []) {
      const address = Prefix.parse(network)?.address.toString() ?? network;
      users.set(address, [...(users.get(address) ?? []), `${metadata.namespace}/${metadata.name}`]);
    }
  }
  return users;
}

/** Pure. A handle may count more than there is after a crash; it may never count less. */
export function compareHandles(blocks: readonly BlockView[], handles: readonly HandleView[]): Finding[] {
  const held = new Map<string, number>();
  for (const { cidr, allocations } of blocks) {
    for (const { handle } of allocations) {
      if (handle === undefined) continue;
      const key = keyOf(handle, cidr.toString());
      held.set(key, (held.get(key) ?? 0) + 1);
    }
  }
  const said = new Map(
    handles.flatMap(({ handle, counts }) =>
      counts.map(({ cidr, count }) => [keyOf(handle, cidr), count] as const),
    ),
  );
  return [...new Set([...held.keys(), ...said.keys()])].flatMap((key): Finding[] => {
    const [handle = '', cidr = ''] = key.split('\0');
    const counted = said.get(key) ?? 0;
    const there = held.get(key) ?? 0;
    if (counted === there) return [];
    return [
      {
        kind: 'wrong-handle',
        what: handle,
        why: `counts ${counted} addresses in ${cidr}, which has ${there} of it`,
      },
    ];
  });
}

function keyOf(handle: string, cidr: string): string {
  return `${handle}\0${cidr}`;
}
