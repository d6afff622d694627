/** What the kernel is told of a route. */
import type { Address } from '../../net/addr/index.ts';

/** What a route does, as the kernel is told: next hops resolved, and which of them lie behind a tunnel. */
export type TableEntry =
  | { readonly type: 'blackhole' }
  | {
      readonly type: 'unicast';
      readonly gateways: readonly Address[];
      readonly tunnel?: { readonly device: string; readonly gateways: readonly Address[] };
    };

export function sameEntry(a: TableEntry | undefined, b: TableEntry | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  if (a.type === 'blackhole' || b.type === 'blackhole') return a.type === b.type;
  return (
    sameGateways(a.gateways, b.gateways) &&
    a.tunnel?.device === b.tunnel?.device &&
    sameGateways(a.tunnel?.gateways ?? [], b.tunnel?.gateways ?? [])
  );
}

function sameGateways(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((gateway) => b.some((other) => other.equals(gateway)));
}
