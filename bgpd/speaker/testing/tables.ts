/** A router's Loc-RIBs as text, for comparison: prefix -> `via 10.0.0.2 path 65001 65002`. */
import type { Path } from '../../rib/path.ts';
import type { Family } from '../../wire/types.ts';
import type { Router } from './world.ts';

export function tableOf(router: Router): Record<string, string> {
  const lines: [string, string][] = [];
  for (const family of ['ipv4-unicast', 'ipv6-unicast'] satisfies Family[]) {
    const { locRib } = router.speaker.tables[family];
    for (const id of locRib.ids()) {
      const best = locRib.best(id);
      if (best === undefined) continue;
      const from = router.speaker.neighbours.find((neighbour) => neighbour.id === best.source.id);
      const stale = from?.adjRibIn[family].isStale(id, best) ?? false;
      lines.push([String(locRib.prefix(id)), lineOf(best, stale)]);
    }
  }
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function lineOf(path: Path, stale: boolean): string {
  if (path.source.kind === 'local') return 'own';
  const asns = path.attributes.attributes.asPath.flatMap((segment) => segment.asns).join(' ');
  return `via ${String(path.nextHop?.address)} path ${asns}${stale ? ' stale' : ''}`;
}
