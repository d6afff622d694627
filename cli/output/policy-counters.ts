/** The screen of `policy counters`. */
import type { PolicyCounter } from '../../felix-lite/daemon/policy-counters.ts';
import { columns } from './table.ts';

const HEADINGS = ['POLICY', 'TIER', 'RULE', 'ACTION', 'PACKETS', 'BYTES'];

/** @param nodes  with more than one, a column says which */
export function drawCounters(
  nodes: readonly { readonly node: string; readonly counters: readonly PolicyCounter[] }[],
): string {
  const rows = nodes.flatMap(({ node, counters }) =>
    [...sums(counters).values()].map((each) => [
      ...(nodes.length > 1 ? [node] : []),
      nameOf(each),
      each.tier,
      // A rule says its direction itself.
      each.rule.startsWith('spec.ingress') || each.rule.startsWith('spec.egress')
        ? each.rule
        : `${each.direction}: ${each.rule}`,
      each.action,
      String(each.packets),
      String(each.bytes),
    ]),
  );
  if (rows.length === 0) return 'no rule of policy to show\n';
  return columns([...(nodes.length > 1 ? ['NODE'] : []), ...HEADINGS], rows);
}

/** Both IP versions of a rule together. */
function sums(counters: readonly PolicyCounter[]): ReadonlyMap<string, PolicyCounter> {
  const sums = new Map<string, PolicyCounter>();
  for (const each of counters) {
    const { kind, namespace, name, tier, direction, rule, action } = each;
    const key = JSON.stringify([kind, namespace, name, tier, direction, rule, action]);
    const sum = sums.get(key);
    sums.set(
      key,
      sum === undefined
        ? each
        : { ...sum, packets: sum.packets + each.packets, bytes: sum.bytes + each.bytes },
    );
  }
  return sums;
}

function nameOf({ kind, namespace, name }: PolicyCounter): string {
  if (kind === 'Tier') return `end of tier ${name}, workloads of ${namespace}`;
  if (kind === 'Profile' && name === '') return `all profiles, workloads of ${namespace}`;
  return [kind, namespace, name].filter((part) => part !== '').join('/');
}
