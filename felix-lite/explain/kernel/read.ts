/**
 * The kernel's own rules, read back, and what they would do with a packet: through `iptables-save -c` and ipset's netlink,
 * or through nfnetlink. Rules of other programs are counted and not judged.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import { IpsetNetlink, iptables, type ListedRule, Nftables } from '../../../net/kernel/index.ts';
import type { Backend } from '../../dataplane/backend.ts';
import { hashOf, isOurs } from '../../dataplane/iptables/diff.ts';
import { ourTable } from '../../dataplane/nftables/names.ts';
import { TABLES } from '../../rules/tables.ts';
import { type Chains, type Journey, JOURNEYS, type Met, travel, type WalkedPacket } from '../netfilter.ts';
import { SetReader } from './asked-sets.ts';
import { type NftSetContent, travelNftables } from './nft-machine.ts';

export interface CountedRule extends Met {
  /** Of all packets since the rule was written; undefined where the kernel counts none. */
  readonly packets: number | undefined;
  readonly bytes: number | undefined;
}

export interface KernelWalk {
  readonly verdict: 'ACCEPT' | 'DROP';
  readonly trace: readonly CountedRule[];
  /** Rules of others in the kernel's own chains on the way. Theirs may still stop what ours let through. */
  readonly others: number;
}

export interface KernelPlace {
  readonly backend: Backend;
  /** Path of a network namespace; default: ours. */
  readonly netns: string | undefined;
}

/** The rules of one family as they stood when they were read; sets are read when a walk comes to them. */
export interface KernelRules {
  /** @throws RangeError on a rule that holds what we do not know */
  walk(journey: Journey, packet: WalkedPacket): Promise<KernelWalk>;
  close(): void;
}

/** @throws what the tools and the kernel say where they cannot be read */
export function readKernel({ backend, netns }: KernelPlace, version: IpVersion): Promise<KernelRules> {
  return backend === 'nftables' ? readNftables(netns, version) : readIptables({ netns, backend }, version);
}

async function readIptables(options: iptables.IptablesOptions, version: IpVersion): Promise<KernelRules> {
  const tables = await Promise.all(TABLES.map((table) => iptables.counters(version, table, options)));
  const all = tables.flat();
  const ours = all.filter(({ chain, rule }) => isOurs(chain) || hashOf(rule) !== undefined);
  const byTable = Map.groupBy(ours, ({ table }) => table);
  const chains = new Map([...byTable].map(([table, rules]) => [table, chainsOf(rules)]));
  const byChain = Map.groupBy(ours, ({ table, chain }) => `${table} ${chain}`);
  const ipsets = IpsetNetlink.open({ netns: options.netns });
  const sets = new SetReader<ReadonlySet<string>>(new Set(), async (name) => {
    const [saved] = await ipsets.save(name);
    return saved === undefined ? undefined : new Set(saved.members);
  });
  return {
    walk: async (journey, packet) => {
      const walked = await sets.walk((known) => travel(chains, known, journey, packet));
      const hooks: ReadonlySet<string> = new Set(JOURNEYS[journey]);
      return {
        verdict: walked.verdict,
        trace: walked.trace.map((met) => counted(met, byChain.get(`${met.table} ${met.chain}`)?.[met.index])),
        others: all.filter(
          ({ table, chain, rule }) => hooks.has(`${table} ${chain}`) && hashOf(rule) === undefined,
        ).length,
      };
    },
    close: () => ipsets.close(),
  };
}

function counted(
  met: Met,
  counter: { readonly packets: bigint; readonly bytes: bigint } | undefined,
): CountedRule {
  if (counter === undefined) return { ...met, packets: undefined, bytes: undefined };
  return { ...met, packets: Number(counter.packets), bytes: Number(counter.bytes) };
}

/** Chains without a rule are not printed with counters; a jump to one comes back. */
function chainsOf(rules: readonly iptables.SavedCounter[]): Chains {
  const chains = new Map<string, string[]>();
  for (const { chain, rule } of rules) {
    const list = chains.get(chain) ?? [];
    chains.set(chain, list);
    list.push(rule);
  }
  for (const { rule } of rules) {
    const target = /(?:^| )-[jg] (cali-\S+)/.exec(rule)?.[1];
    if (target !== undefined && !chains.has(target)) chains.set(target, []);
  }
  return chains;
}

async function readNftables(netns: string | undefined, version: IpVersion): Promise<KernelRules> {
  const table = ourTable(version);
  const nft = Nftables.open({ netns });
  const rules = new Map<string, ListedRule[]>();
  for (const { name } of await nft.listChains(table)) rules.set(name, []);
  for (const rule of await nft.listRules(table)) rules.get(rule.chain)?.push(rule);
  const kinds = new Map((await nft.listSets(table)).map((set) => [set.name, set]));
  const reader = new SetReader<NftSetContent>({ interval: false, elements: [] }, async (name) => {
    const set = kinds.get(name);
    if (set === undefined) return undefined;
    return { interval: set.interval === true, elements: await nft.listElements(table, name) };
  });
  return {
    walk: async (journey, packet) => {
      const walked = await reader.walk((sets) => travelNftables({ rules, sets }, journey, packet));
      return {
        verdict: walked.verdict,
        trace: walked.trace.map((met) => {
          const rule = rules.get(`${met.table}-${met.chain}`)?.[met.index];
          return counted(
            met,
            rule?.expressions.find((each) => each.kind === 'counter'),
          );
        }),
        // Others have tables of their own, which packets pass as well.
        others: 0,
      };
    },
    close: () => nft.close(),
  };
}
