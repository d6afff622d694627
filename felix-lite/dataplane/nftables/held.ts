/** What the kernel holds in our table of one family: read whole. */
import type { IpVersion } from '../../../net/addr/index.ts';
import type { ListedRule, NftChain, Nftables } from '../../../net/kernel/index.ts';
import { ourTable } from './names.ts';
import type { HeldSet } from './sets.ts';

export interface HeldTable {
  readonly exists: boolean;
  readonly chains: readonly NftChain[];
  readonly rules: readonly ListedRule[];
  /** Names of interfaces to chains, by map; to no chain where anything else becomes of the packet, which is none of our doing. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly sets: ReadonlyMap<string, HeldSet>;
}

const NOTHING: HeldTable = {
  exists: false,
  chains: [],
  rules: [],
  maps: new Map(),
  sets: new Map(),
};

export async function readTable(nft: Nftables, version: IpVersion): Promise<HeldTable> {
  const table = ourTable(version);
  if (!(await nft.listTables(table.family)).includes(table.name)) return NOTHING;
  const chains = await nft.listChains(table);
  const sets = new Map<string, HeldSet>();
  const maps = new Map<string, ReadonlyMap<string, string>>();
  for (const { name, anonymous, verdicts, make } of await nft.listSets(table)) {
    if (anonymous) continue;
    const elements = await nft.listElements(table, name);
    if (verdicts !== true) {
      sets.set(name, { make, elements });
      continue;
    }
    const entries = new Map<string, string>();
    for (const { key, verdict } of elements) {
      entries.set(nameOf(key), verdict?.code === 'goto' ? (verdict.chain ?? '') : '');
    }
    maps.set(name, entries);
  }
  const rules = await nft.listRules(table);
  return { exists: true, chains, rules, maps, sets };
}

function nameOf(key: string): string {
  const bytes = Buffer.from(key, 'hex');
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}
