/** Ports of Kubernetes' policies, gathered by protocol: one rule of ours takes a list of them. */
import type { Port, Protocol } from '../kinds/rule.ts';

export type Transport = Extract<Protocol, 'TCP' | 'UDP' | 'SCTP'>;

/** `port` undefined: every port of the protocol. */
export interface PortOfProtocol {
  readonly protocol: Transport;
  readonly port?: Port;
}

export interface ProtocolPorts {
  /** Undefined: any protocol, ports or none. */
  readonly protocol?: Transport;
  /** Empty: every port. */
  readonly ports: readonly Port[];
}

/** One row a protocol, by name; a single row without protocol when nothing was asked for. */
export function byProtocol(wanted: readonly PortOfProtocol[]): readonly ProtocolPorts[] {
  if (wanted.length === 0) return [{ ports: [] }];
  const rows = new Map<Transport, Port[] | 'all'>();
  for (const { protocol, port } of wanted) {
    const row = rows.get(protocol) ?? [];
    rows.set(protocol, port === undefined || row === 'all' ? 'all' : [...row, port]);
  }
  return [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([protocol, ports]) => ({ protocol, ports: ports === 'all' ? [] : simplified(ports) }));
}

/**
 * The fewest ranges that hold the same ports: names first, then numbers upward, neighbours joined. As in Calico, a list
 * with at most one number stays in its order.
 */
export function simplified(ports: readonly Port[]): readonly Port[] {
  const names = ports.filter((port) => rangeOf(port) === undefined);
  const ranges = ports.flatMap((port) => rangeOf(port) ?? []).toSorted((a, b) => a.min - b.min);
  const [first] = ranges;
  if (ports.length <= 1 || first === undefined || (ranges.length === 1 && first.min === first.max))
    return ports;
  const joined: { min: number; max: number }[] = [];
  for (const { min, max } of ranges) {
    const last = joined.at(-1);
    if (last === undefined || min > last.max + 1) joined.push({ min, max });
    else last.max = Math.max(last.max, max);
  }
  return [...names, ...joined.map(({ min, max }) => rangePort(min, max))];
}

export function rangePort(min: number, max: number): Port {
  return min === max ? min : `${min}:${max}`;
}

function rangeOf(port: Port): { readonly min: number; readonly max: number } | undefined {
  const [, first, last] = /^([0-9]+)(?::([0-9]+))?$/.exec(String(port)) ?? [];
  return first === undefined ? undefined : { min: Number(first), max: Number(last ?? first) };
}
