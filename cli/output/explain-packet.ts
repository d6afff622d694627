/** The screen of `explain packet`. */
import type { KernelExplanation } from '../../felix-lite/daemon/explain.ts';
import type { Judgement } from '../../felix-lite/explain/evaluate.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import type { ServiceTarget } from '../resources/services.ts';

export type KernelSays =
  | ({ readonly node: string; readonly alarm?: string } & KernelExplanation)
  /** It could not be asked. */
  | { readonly node: string; readonly why: string; readonly alarm?: undefined };

export interface Verdict {
  readonly version: IpVersion;
  readonly source: string;
  readonly destination: string;
  /** Name of what it goes to. */
  readonly to: string;
  readonly port?: number;
  /** Where it was sent before kube-proxy sent it on to the destination. */
  readonly service?: {
    readonly name: string;
    readonly by: ServiceTarget['by'];
    readonly address: string;
    readonly port: number;
  };
  readonly allowed: boolean;
  /** An end that is no workload has no say. */
  readonly egress: Judgement | undefined;
  readonly ingress: Judgement | undefined;
  /** With staged policies in force; left out where they are not asked about the packet. */
  readonly staged?: Pick<Verdict, 'allowed' | 'egress' | 'ingress'>;
  /** Of the nodes at hand that the packet crosses. */
  readonly kernels: readonly KernelSays[];
  /** One of them does not do what policy says. */
  readonly alarm: boolean;
}

/** What stands above the verdicts on its endpoints. */
export function drawService(
  { service, by, protocol, addresses, port, notes }: ServiceTarget,
  verdicts: readonly Verdict[],
): string {
  const allowed = verdicts.filter((each) => each.allowed).length;
  const outcome =
    verdicts.length === 0
      ? 'no endpoint is ready, so kube-proxy refuses it'
      : verdicts.length === 1
        ? `kube-proxy sends it on to its one endpoint, which policy ${allowed === 1 ? 'allows' : 'stops'}`
        : `kube-proxy sends it on to one of ${verdicts.length}, ${allowed === verdicts.length ? 'all' : allowed} of which policy allows`;
  return [
    `Service ${service}, ${by} ${addresses.join(', ')}, ${protocol} ${port}: ${outcome}`,
    ...notes.map((note) => `  note: ${note}`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** @param all  also the rules of the kernel that only lead to those of policies and profiles */
export function drawVerdict(verdict: Verdict, from: string, all: boolean): string {
  const { version, source, destination, to, port, service, allowed, staged, kernels } = verdict;
  const end =
    service === undefined
      ? destination
      : `${at(service.address, service.port)}, sent on to ${at(destination, port)}`;
  return [
    `IPv${version} ${source} -> ${end}: ${word(allowed)}`,
    ...drawSides(verdict, from, to),
    ...kernels.flatMap(drawHosts),
    ...(staged === undefined
      ? []
      : [
          `  staged policies in force: ${staged.allowed === allowed ? 'still' : 'would be'} ${word(staged.allowed)}`,
          ...drawSides(staged, from, to).map((line) => `  ${line}`),
        ]),
    ...kernels.flatMap((each) => drawKernel(each, all)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function at(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function word(allowed: boolean): string {
  return allowed ? 'allowed' : 'stopped';
}

function drawSides(
  { egress, ingress }: Pick<Verdict, 'egress' | 'ingress'>,
  from: string,
  to: string,
): readonly string[] {
  return [
    ...drawSide(`egress of ${from}`, egress),
    // What the source may not send, the destination is never asked about.
    ...(egress?.allowed === false ? [] : drawSide(`ingress of ${to}`, ingress)),
  ];
}

function drawSide(title: string, judgement: Judgement | undefined): readonly string[] {
  if (judgement === undefined) return [`  ${title}: no workload, no policy`];
  const last = judgement.steps.length - 1;
  return [
    `  ${title}: ${word(judgement.allowed)}`,
    ...judgement.steps.map(({ asked, field, said }, index) => {
      const place = field === undefined ? '' : ` ${field}`;
      return `  ${index === last ? '=>' : '  '} ${asked}${place}: ${said}`;
    }),
  ];
}

/** What the host's own endpoints say on the way; what workloads say stands above. */
function drawHosts(says: KernelSays): readonly string[] {
  if (!('model' in says) || !says.hosts) return [];
  return drawSide(`on the way over ${says.node}, host endpoints included`, says.model);
}

/** Chains of policies and profiles, whose rules users write. */
const USERS = /^cali-(?:pi|po|pri|pro)-/;

function drawKernel(says: KernelSays, all: boolean): readonly string[] {
  if (!('way' in says)) return [`  kernel of ${says.node}: not looked at: ${says.why}`];
  const { node, backend, way, allowed, why, alarm, rules, others } = says;
  const path = [way.from ?? 'the host', way.to ?? 'the host'].join(' to ');
  const title = `  kernel of ${node} (${TITLES[backend]}), ${path}`;
  if (allowed === undefined) return [`${title}: cannot be judged: ${why ?? ''}`];
  const shown = rules.filter(
    ({ chain }, index) => all || USERS.test(chain) || (!allowed && index === rules.length - 1),
  );
  const rows = shown.map(({ table, chain, rule, packets, bytes }) => [
    packets === undefined ? '-' : String(packets),
    bytes === undefined ? '-' : String(bytes),
    `${table} ${chain}: ${withoutHash(rule)}`,
  ]);
  const lines = [['PACKETS', 'BYTES', 'RULE'], ...rows];
  const [first = 0, second = 0] = [0, 1].map((column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return [
    `${title}: ${word(allowed)}${alarm === undefined ? (why === undefined ? '' : ` (${why})`) : ', which is not what policy says'}`,
    ...lines.map(([packets = '', bytes = '', rule = ''], index) => {
      // What stops it is the last; what lets it through is asked after, too.
      const mark = !allowed && index === lines.length - 1 ? '=>' : '  ';
      return `  ${mark} ${packets.padStart(first)}  ${bytes.padStart(second)}  ${rule}`;
    }),
    ...(shown.length === rules.length
      ? []
      : [`     and ${rules.length - shown.length} that lead there (--kernel all)`]),
    ...(others === 0 ? [] : [`     ${others} rules of other programs on the way are not judged`]),
  ];
}

const TITLES = { nftables: 'nftables', nft: 'iptables on nf_tables', legacy: 'iptables legacy' } as const;

/** It says nothing to people. */
function withoutHash(rule: string): string {
  return rule.replace(/-m comment --comment "?cali:[\w-]{16}"? ?/, '');
}
