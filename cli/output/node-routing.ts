/** The part of `node status` on routes: modes of pools, tunnels, what the kernel has, and what is the matter. */
import { formatProblem } from '../../api/problem.ts';
import type { RoutingStatus } from '../../felix-lite/routing/status.ts';
import { columns } from './table.ts';

/** The part of bgpd's answer that is shown; each that the kernel does not have as it should. */
interface Missing {
  readonly prefix?: string;
  readonly state?: string;
  readonly reason?: string;
}

const TOLD = 5;

export function drawRouting(felixStatus: unknown, bgpdStatus: unknown): readonly string[] {
  const routing = routingIn(felixStatus);
  if (routing === undefined) return [];
  const { pools = [], tunnels = {}, wireguard = {}, problems = [], workloads } = routing;
  const missing = missingIn(bgpdStatus);
  const yielded = missing.filter(({ state }) => state === 'yielded');
  return [
    '\nRouting\n',
    ...(routing.routeSync === false ? ['No route is touched: routeSyncDisabled.\n'] : []),
    ...(pools.length === 0
      ? ['No pools.\n']
      : [
          columns(
            ['POOL', 'CIDR', 'MODE', 'ROUTES BY'],
            pools.map(({ pool, cidr, encapsulation, crossSubnet, writer }) => [
              pool,
              cidr,
              `${encapsulation === 'none' ? 'unencapsulated' : encapsulation.toUpperCase()}${crossSubnet ? ' between subnets' : ''}`,
              writer === 'felix' ? 'felix-lite' : writer,
            ]),
          ),
        ]),
    ...(Object.keys(tunnels).length === 0
      ? []
      : [
          columns(
            ['TUNNEL', 'ADDRESS', 'OVER', 'MTU', 'WHICH IS'],
            Object.entries(tunnels).map(([name, { address, mtu, mtuFrom, over }]) => [
              name,
              address,
              over,
              String(mtu),
              mtuFrom,
            ]),
          ),
        ]),
    ...Object.values(wireguard).map(
      ({ device, implementation, port, mtu, peers, talking, plain }) =>
        `${device}: WireGuard ${implementation === 'kernel' ? 'of the kernel' : 'by wireguard-go, for this kernel has none'}, UDP ${port}, MTU ${mtu}; ${peers} nodes encrypted (${talking} in touch), ${plain} in plain.\n`,
    ),
    `Routes to workloads: ${workloads?.routes ?? 0}${waitingText(workloads?.waiting ?? [])}. Between nodes, by felix-lite: ${routing.routes ?? 0}${missingText(routing.missing ?? 0)}.\n`,
    ...told(
      `Of bgpd's, ${missing.length - yielded.length} the kernel does not have as they should be:`,
      missing
        .filter(({ state }) => state !== 'yielded')
        .map(({ prefix, state, reason }) => `${prefix ?? ''} ${state ?? ''}: ${reason ?? ''}`),
    ),
    // The network of an interface is among them on most nodes, and nothing is wrong with that.
    ...told(
      `Of bgpd's, ${yielded.length} gave way to a route of the kernel's own or of somebody else:`,
      yielded.map(({ prefix, reason }) => `${prefix ?? ''} to ${reason ?? ''}`),
    ),
    ...problems.map((problem) => `  ${formatProblem(problem)}\n`),
  ];
}

function told(heading: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return [
    `${heading}\n`,
    ...lines.slice(0, TOLD).map((line) => `  ${line}\n`),
    ...(lines.length > TOLD ? [`  and ${lines.length - TOLD} more\n`] : []),
  ];
}

function waitingText(waiting: readonly string[]): string {
  if (waiting.length === 0) return '';
  const named = waiting.slice(0, TOLD).join(', ');
  return `, and none over ${named}${waiting.length > TOLD ? ` and ${waiting.length - TOLD} more` : ''}, which are not there or off`;
}

function missingText(missing: number): string {
  return missing === 0 ? '' : `, ${missing} of which the kernel does not have`;
}

/** Another version may leave things out. */
function routingIn(status: unknown): Partial<RoutingStatus> | undefined {
  if (typeof status !== 'object' || status === null || !('routing' in status)) return undefined;
  const { routing } = status;
  return typeof routing === 'object' && routing !== null ? routing : undefined;
}

function missingIn(status: unknown): readonly Missing[] {
  if (typeof status !== 'object' || status === null || !('kernel' in status)) return [];
  return Array.isArray(status.kernel) ? status.kernel : [];
}
