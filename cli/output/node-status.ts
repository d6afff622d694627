/** The screen of `node status`: calicoctl's, with what a person asks next (routes received, last error) beside it. */
import { formatProblem, type Problem } from '../../api/problem.ts';
import { drawRouting } from './node-routing.ts';
import { box } from './table.ts';

export type DaemonReport =
  | { readonly reachable: true; readonly status: unknown }
  | { readonly reachable: false; readonly why: string };

export interface NodeReport {
  readonly node: string;
  readonly runDir: string;
  readonly daemons: Readonly<Record<string, DaemonReport>>;
}

/** The part of bgpd's answer that is shown. Another version may leave things out. */
interface Peer {
  readonly name?: string;
  readonly address?: string;
  readonly asn?: number;
  readonly state?: string;
  readonly sinceSeconds?: number;
  readonly prefixesReceived?: number;
  readonly prefixesAccepted?: number;
  readonly prefixesAdvertised?: number;
  readonly lastError?: string | null;
}

const WORDS: Readonly<Record<string, string>> = { agent: 'node agent', bgpd: 'bgpd', felix: 'felix-lite' };

export function drawNode({ node, daemons }: NodeReport): string {
  const lines = [`Node ${node}\n`];
  const down = Object.entries(daemons).filter(([, report]) => !report.reachable);
  if (down.length === 0) lines.push('Poplin is running: node agent, bgpd and felix-lite answer.\n');
  for (const [name, report] of down) {
    if (!report.reachable) lines.push(`The ${WORDS[name] ?? name} does not answer: ${report.why}\n`);
  }
  const bgpd = daemons['bgpd'];
  if (bgpd?.reachable === true) {
    const peers = peersIn(bgpd.status);
    lines.push(
      drawPeers(
        'IPv4',
        peers.filter(({ address = '' }) => !address.includes(':')),
      ),
    );
    lines.push(
      drawPeers(
        'IPv6',
        peers.filter(({ address = '' }) => address.includes(':')),
      ),
    );
  }
  const felix = daemons['felix'];
  if (felix?.reachable === true) {
    lines.push(...drawRouting(felix.status, bgpd?.reachable === true ? bgpd.status : undefined));
    lines.push(...drawPolicy(felix.status));
  }
  return lines.join('');
}

/** The part of felix-lite's answer that is shown. */
interface PolicyStatus {
  readonly synced?: boolean;
  readonly ready?: boolean;
  readonly lastError?: string;
  readonly endpoints?: readonly unknown[];
  readonly problems?: readonly Problem[];
  readonly closed?: readonly {
    readonly policy: string;
    readonly count: number;
    readonly endpoints: readonly string[];
  }[];
}

const ENDPOINTS_NAMED = 3;

function drawPolicy(status: unknown): readonly string[] {
  const { synced, ready, lastError, endpoints = [], problems = [], closed = [] } = policyIn(status);
  const state =
    synced !== true
      ? 'the datastore has not been seen in full yet'
      : ready === true
        ? `the kernel holds the policy of ${endpoints.length} workload endpoints`
        : `the kernel does not hold the policy: ${lastError ?? 'the first pass is not over'}`;
  const lines = [`\nPolicy: ${state}.\n`];
  if (problems.length === 0) return lines;
  lines.push(`Problems of policy, ${problems.length}:\n`);
  for (const problem of problems) {
    lines.push(`  ${formatProblem(problem)}\n`);
    const concerned = closed.find(({ policy }) => policy === problem.resource);
    if (concerned !== undefined) lines.push(`    ${concernText(concerned)}\n`);
  }
  return lines;
}

function concernText({ count, endpoints }: NonNullable<PolicyStatus['closed']>[number]): string {
  if (count === 0) return 'closes no endpoint of this node';
  const named = endpoints.slice(0, ENDPOINTS_NAMED).join(', ');
  const rest = count - Math.min(count, ENDPOINTS_NAMED);
  return `closes of this node: ${named}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function policyIn(status: unknown): PolicyStatus {
  return typeof status === 'object' && status !== null ? status : {};
}

function drawPeers(family: string, peers: readonly Peer[]): string {
  if (peers.length === 0) return `\n${family} BGP status\nNo ${family} peers found.\n`;
  const headings = ['PEER ADDRESS', 'ASN', 'PEER', 'STATE', 'SINCE', 'INFO', 'RECEIVED', 'ADVERTISED'];
  const rows = peers.map((peer) => [
    peer.address ?? '',
    String(peer.asn ?? ''),
    peer.name ?? '',
    peer.state === 'Established' ? 'up' : 'start',
    duration(peer.sinceSeconds),
    peer.state === 'Established' || !peer.lastError ? (peer.state ?? '') : `${peer.state}: ${peer.lastError}`,
    received(peer),
    String(peer.prefixesAdvertised ?? ''),
  ]);
  return `\n${family} BGP status\n${box(headings, rows, ['left', 'right', 'left', 'left', 'right', 'left', 'right', 'right'])}`;
}

/** Where import policy keeps something out, both numbers are told. */
function received({ prefixesReceived: all, prefixesAccepted: kept }: Peer): string {
  if (all === undefined) return '';
  return kept === undefined || kept === all ? String(all) : `${kept} of ${all}`;
}

/** `00:04:07`, with days in front once there are any. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '';
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const clock = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60]
    .map(twoDigits)
    .join(':');
  return days === 0 ? clock : `${days}d ${clock}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function peersIn(status: unknown): Peer[] {
  if (typeof status !== 'object' || status === null || !('peers' in status) || !Array.isArray(status.peers))
    return [];
  return status.peers.filter((peer): peer is Peer => typeof peer === 'object' && peer !== null);
}
