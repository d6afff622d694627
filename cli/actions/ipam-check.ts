/** ipam check: addresses taken against addresses used. Reads only. */
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { allocationsOf, type IPAMBlock, prefixOf } from '../../ipam/block.ts';
import type { IPAMHandle } from '../../ipam/handle.ts';
import { Records } from '../../ipam/records.ts';
import { Prefix } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { structured } from '../output/structured.ts';
import { usageOf } from '../resources/usage.ts';
import { withStore } from '../store.ts';
import type { ipamCheckTable } from '../tables/ipam.ts';

/** One thing that does not add up. */
export interface Finding {
  readonly kind: 'leaked' | 'untaken' | 'doubled' | 'orphaned-block' | 'wrong-handle';
  /** An address, a block or a handle. */
  readonly what: string;
  readonly why: string;
}

export const ipamCheck: Action<Arguments<typeof ipamCheckTable>> = async (args, terminal) => {
  const findings = await withStore(args, terminal, async ({ store, client }) => {
    const records = new Records(store);
    const blocks = (await records.blocks()).map(({ value }) => value);
    const handles = new Map((await records.handles()).map(({ key, value }) => [key.name, value]));
    const orphans = usageOf(unwrap(await client.list('IPPool')), blocks).orphans;
    return [
      ...compareAddresses(blocks, unwrap(await client.list('WorkloadEndpoint'))),
      ...orphans.map(
        ({ cidr }): Finding => ({ kind: 'orphaned-block', what: cidr, why: 'no IPPool contains this block' }),
      ),
      ...compareHandles(blocks, handles),
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

/** Pure. Addresses without a pod or attachment in their attributes (tunnels, load balancers) need no endpoint. */
export function compareAddresses(
  blocks: readonly IPAMBlock[],
  endpoints: readonly WorkloadEndpoint[],
): Finding[] {
  const users = new Map<string, string[]>();
  for (const { metadata, spec } of endpoints) {
    for (const network of spec.ipNetworks ?? []) {
      const address = Prefix.parse(network)?.address.toString() ?? network;
      users.set(address, [...(users.get(address) ?? []), `${metadata.namespace}/${metadata.name}`]);
    }
  }
  const findings: Finding[] = [];
  const taken = new Set<string>();
  for (const block of blocks) {
    for (const { ordinal, handle, attributes } of allocationsOf(block)) {
      const address = prefixOf(block.cidr).nth(ordinal).toString();
      taken.add(address);
      const isWorkload = attributes['pod'] !== undefined || attributes['cni-attachment'] !== undefined;
      if (isWorkload && !users.has(address)) {
        findings.push({
          kind: 'leaked',
          what: address,
          why: `held by ${handle ?? 'no handle'}, used by no workload endpoint`,
        });
      }
    }
  }
  for (const [address, names] of users) {
    if (names.length > 1)
      findings.push({ kind: 'doubled', what: address, why: `used by ${names.join(' and ')}` });
    if (!taken.has(address))
      findings.push({ kind: 'untaken', what: address, why: `used by ${names.join(', ')}, held by nobody` });
  }
  return findings;
}

/** Pure. A handle may count more than there is after a crash; it may never count less. */
export function compareHandles(
  blocks: readonly IPAMBlock[],
  handles: ReadonlyMap<string, IPAMHandle>,
): Finding[] {
  const counts = new Map<string, Map<string, number>>();
  for (const block of blocks) {
    for (const { handle } of allocationsOf(block)) {
      if (handle === undefined) continue;
      const own = counts.get(handle) ?? new Map<string, number>();
      counts.set(handle, own.set(block.cidr, (own.get(block.cidr) ?? 0) + 1));
    }
  }
  const findings: Finding[] = [];
  for (const id of new Set([...counts.keys(), ...handles.keys()])) {
    const said = handles.get(id)?.block ?? {};
    for (const cidr of new Set([...Object.keys(said), ...(counts.get(id)?.keys() ?? [])])) {
      const there = counts.get(id)?.get(cidr) ?? 0;
      const counted = said[cidr] ?? 0;
      if (there === counted) continue;
      findings.push({
        kind: 'wrong-handle',
        what: id,
        why: `counts ${counted} addresses in ${cidr}, which has ${there} of it`,
      });
    }
  }
  return findings;
}
