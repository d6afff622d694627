/**
 * What rules of policies have counted, out of what kernel rules have: a rule may have become several, and one policy may
 * stand in several tables. A kernel rule counts only where it is the one that we would write there.
 */
import type { IpVersion } from '../../net/addr/index.ts';
import type { Backend } from '../dataplane/backend.ts';
import type { RuleCounter } from '../dataplane/dataplane.ts';
import { renderChain } from '../dataplane/iptables/render.ts';
import { nftRuleHashes } from '../dataplane/nftables/text.ts';
import type { Direction } from '../calc/model.ts';
import type { ChainOwner, RuleTables } from '../rules/tables.ts';
import type { Chain, Counted, TableName } from '../rules/types.ts';

export interface PolicyCounter {
  /** `Tier`: no policy of it decided, and its default action did; `Profile` without a name: no profile allowed it. */
  readonly kind: ChainOwner['kind'] | 'Tier';
  /** Empty for what has none; of a tier and of no profile, that of the workloads at which it decided. */
  readonly namespace: string;
  readonly name: string;
  readonly tier: string;
  readonly direction: Direction;
  /** As the user wrote it: `spec.ingress[2]`. */
  readonly rule: string;
  readonly action: Counted['action'];
  readonly version: IpVersion;
  /** Since the rule was written. Of an allowed connection only its first packet comes here. */
  readonly packets: number;
  readonly bytes: number;
}

/** In the order of tiers' and policies' names, then of rules. */
export function policyCounters(
  tables: RuleTables,
  counters: readonly RuleCounter[],
  backend: Backend,
): readonly PolicyCounter[] {
  const owners = tables.owners();
  const hashes = new Map<string, readonly string[]>();
  const sums = new Map<string, PolicyCounter>();
  for (const { version, table, chain: name, index, hash, packets, bytes } of counters) {
    const owner = owners.get(name);
    const chain = owner === undefined ? undefined : tables.chains(version, table).get(name);
    const counts = chain?.rules[index]?.counts;
    if (owner === undefined || chain === undefined || counts === undefined) continue;
    const place = `${version} ${table} ${name}`;
    const known = hashes.get(place) ?? hashesOf(chain, table, version, backend);
    hashes.set(place, known);
    if (known[index] !== hash) continue;
    const counter = { ...identityOf(owner, counts), version, packets: Number(packets), bytes: Number(bytes) };
    const key = JSON.stringify({ ...counter, packets: 0, bytes: 0 });
    const sum = sums.get(key);
    sums.set(
      key,
      sum === undefined
        ? counter
        : { ...sum, packets: sum.packets + counter.packets, bytes: sum.bytes + counter.bytes },
    );
  }
  return [...sums.values()].sort(compare);
}

function hashesOf(
  { name, rules }: Chain,
  table: TableName,
  version: IpVersion,
  backend: Backend,
): readonly string[] {
  return backend === 'nftables'
    ? nftRuleHashes(table, name, rules, version)
    : renderChain(name, rules, version).map(({ hash }) => hash);
}

function identityOf(
  { kind, namespace, name, tier = '', direction }: ChainOwner,
  { field, action, tier: ended }: Counted,
): Omit<PolicyCounter, 'version' | 'packets' | 'bytes'> {
  const common = { namespace, direction, rule: field, action };
  if (kind !== 'WorkloadEndpoint') return { ...common, kind, name, tier };
  return ended === undefined
    ? { ...common, kind: 'Profile', name: '', tier: '' }
    : { ...common, kind: 'Tier', name: ended, tier: ended };
}

function compare(a: PolicyCounter, b: PolicyCounter): number {
  const keys = [a, b].map(({ kind, namespace, name, direction }) =>
    [kind === 'Profile' ? 2 : kind === 'Tier' ? 1 : 0, namespace, name, kind, direction].join('\0'),
  );
  const [first = '', second = ''] = keys;
  if (first !== second) return first < second ? -1 : 1;
  return a.rule.localeCompare(b.rule, 'en', { numeric: true }) || a.version - b.version;
}
