/** The screen of `explain route`, and where what daemons want and what the kernel does are not the same. */
import { formatProblem } from '../../api/problem.ts';
import type { RouteView } from '../../bgpd/speaker/route-view.ts';
import type { RouteExplanation } from '../../felix-lite/routing/explain.ts';

export type BestRoute = Omit<RouteView, 'best'>;

export interface NodeRoute {
  readonly node: string;
  readonly to: string;
  readonly felix: RouteExplanation | { readonly why: string };
  /** The most specific prefix that bgpd has a path for; undefined: none. */
  readonly bgp: BestRoute | { readonly why: string } | undefined;
  readonly alarms: readonly string[];
}

export function alarmsOf(felix: NodeRoute['felix'], bgp: NodeRoute['bgp']): readonly string[] {
  if ('why' in felix) return [];
  return [...felix.alarms, ...(bgp !== undefined && 'why' in bgp ? [] : ofBgpd(felix, bgp))];
}

/** Others' to write: bgpd says so, and has nothing against it. */
const LEFT = /(?:felix-lite's to write|leaves routes of IPPool \S+ to nobody)$/;

function ofBgpd({ kernel, wanted }: RouteExplanation, best: BestRoute | undefined): readonly string[] {
  const stale =
    kernel?.owner === 'bgpd' && kernel.destination !== best?.prefix
      ? [`the kernel goes by ${kernel.route}, of bgpd's protocol, and bgpd has no path for that prefix`]
      : [];
  if (best?.installed === undefined) return stale;
  const { state, reason = '' } = best.installed;
  if (state === 'refused' || state === 'degraded' || (state === 'yielded' && !LEFT.test(reason)))
    return [...stale, `bgpd's route to ${best.prefix} is ${state}: ${reason}`];
  if (state !== 'installed') return stale;
  if (kernel === undefined) return [...stale, `bgpd put ${best.prefix} into the kernel, and it is not there`];
  const expected = kernel.destination === best.prefix || kernel.owner === 'workload' || wanted !== undefined;
  return expected
    ? stale
    : [...stale, `bgpd's best is ${best.prefix}, and the kernel goes by ${kernel.route} (${kernel.owner})`];
}

export function drawNodeRoute({ node, to, felix, bgp }: NodeRoute): string {
  const lines = [`Node ${node}, packets to ${to}`];
  if ('why' in felix) lines.push(`  felix-lite does not say: ${felix.why}`);
  else lines.push(...drawFelix(felix));
  lines.push(
    `  BGP: ${bgp === undefined ? 'no path' : 'why' in bgp ? `bgpd does not say: ${bgp.why}` : bestText(bgp)}`,
  );
  return lines.map((line) => `${line}\n`).join('');
}

function drawFelix({ pool, block, workload, wanted, kernel, problems }: RouteExplanation): readonly string[] {
  const mode = pool?.encapsulation === 'none' ? 'unencapsulated' : pool?.encapsulation.toUpperCase();
  return [
    pool === undefined
      ? '  address: in no pool'
      : `  address: in IPPool ${pool.pool} (${pool.cidr}), ${mode ?? ''}${pool.crossSubnet ? ' between subnets' : ''}; its routes are written by ${pool.writer === 'felix' ? 'felix-lite' : pool.writer}`,
    ...(block === undefined ? [] : [`  block: ${block.cidr} of node ${block.node}`]),
    ...(workload === undefined ? [] : [`  workload: ${workload.name} on node ${workload.node}`]),
    wanted === undefined
      ? '  wanted by felix-lite: nothing'
      : `  wanted by felix-lite: ${wanted.route}\n    because ${wanted.because}`,
    kernel === undefined
      ? '  kernel: no way'
      : `  kernel: ${kernel.route} (${kernel.owner})${kernel.source === undefined ? '' : `, sent from ${kernel.source}`}`,
    ...problems.map((problem) => `  problem: ${formatProblem(problem)}`),
  ];
}

function bestText({ prefix, paths, installed }: BestRoute): string {
  const used = paths.filter(({ best, reason }) => best || reason.startsWith('equal'));
  const hops = used.map(({ peer, nextHop }) => `${nextHop ?? 'here'} from ${peer}`).join(', ');
  const state = installed === undefined ? 'nothing to be installed' : installed.state;
  return `${prefix} by ${hops === '' ? 'nobody' : hops}; ${state}${installed?.reason === undefined ? '' : `: ${installed.reason}`}`;
}
