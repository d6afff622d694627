/** For tests of felix-lite: rules, ours or the kernel's, held against the evaluator. */
import { type Resource, validate } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { ResourceChange } from '../../calc/calculator.ts';
import { DEFAULT_FAILSAFES } from '../../rules/failsafe.ts';
import { type Chains, type Sets, travel } from '../netfilter.ts';
import type { Packet } from '../packet.ts';
import { type NodeView, type Way, judgeWay } from '../way.ts';
import { World } from '../world.ts';

/** The node whose endpoints are judged; workload 0 is always on it. */
export const NODE = 'a1';
/** What the node has beside its workloads. */
export const NODE_VIEW: NodeView = {
  name: NODE,
  interfacePrefix: 'cali',
  interfaces: new Map([
    ['eth0', ['10.9.0.1', 'fd09::1']],
    ['eth1', ['10.9.1.1']],
  ]),
  failsafes: DEFAULT_FAILSAFES,
  endpointToHost: 'Drop',
};

export function valid(value: object): Resource {
  const read = validate(value);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

export function change(each: Resource, gone = false): ResourceChange {
  const { kind, metadata } = each;
  return {
    key: { kind, scope: metadata.namespace ?? '', name: metadata.name },
    value: gone ? undefined : each,
  };
}

/** What turns one cluster into the other. */
export function changesBetween(
  before: readonly Resource[],
  after: readonly Resource[],
): readonly ResourceChange[] {
  const kept = new Set(after.map(identity));
  return [
    ...before.filter((each) => !kept.has(identity(each))).map((each) => change(each, true)),
    ...after.map((each) => change(each)),
  ];
}

function identity(each: Resource): string {
  return JSON.stringify(change(each).key);
}

/** How often packets were let through and stopped: a run that sees one of them only proves little. */
export interface Tally {
  allowed: number;
  denied: number;
}

/** What would stand in a kernel: chains by table, sets by name. */
export interface Held {
  readonly tables: ReadonlyMap<string, Chains>;
  readonly sets: Sets;
}

/** Every way over the node: between its workloads, its own interfaces and itself. */
export function waysOver(world: World): readonly Way[] {
  const locals = world.workloads
    .filter(({ spec }) => spec.node === NODE)
    .map(({ spec }) => spec.interfaceName ?? '');
  const all = ['eth0', 'eth1', ...locals];
  const [first = ''] = locals;
  return [
    ...all.flatMap((each): readonly Way[] => [
      { journey: 'toHost', from: each },
      { journey: 'fromHost', to: each },
    ]),
    ...locals.flatMap((each): readonly Way[] => [
      { journey: 'forwarded', from: 'eth0', to: each },
      { journey: 'forwarded', from: each, to: 'eth0' },
    ]),
    { journey: 'forwarded', from: 'eth1', to: first },
    { journey: 'forwarded', from: first, to: locals.at(-1) ?? '' },
    { journey: 'forwarded', from: 'eth0', to: 'eth1' },
    { journey: 'forwarded', from: 'eth1', to: 'eth0' },
  ];
}

const WORLDS = new WeakMap<readonly Resource[], World>();

/** One for both IP versions. */
function worldOf(resources: readonly Resource[]): World {
  const world = WORLDS.get(resources) ?? new World(resources);
  WORLDS.set(resources, world);
  return world;
}

/**
 * Sends every packet over every way.
 * @throws with all that is known about the first packet on which rules and evaluator differ
 */
export function expectAgreement(
  resources: readonly Resource[],
  packets: readonly Packet[],
  version: IpVersion,
  kernel: Held,
  tally: Tally,
): void {
  const world = worldOf(resources);
  for (const packet of packets.filter(({ source }) => source.version === version)) {
    for (const way of waysOver(world)) {
      const judged = judgeWay(world, NODE_VIEW, way, packet);
      // The one matters only for what the host sends itself; the others must not care.
      for (const destinationChanged of [false, true]) {
        const walked = travel(kernel.tables, kernel.sets, way.journey, {
          ...packet,
          state: 'NEW',
          destinationChanged,
          ...(way.from === undefined ? {} : { inInterface: way.from }),
          ...(way.to === undefined ? {} : { outInterface: way.to }),
        });
        tally[judged.allowed ? 'allowed' : 'denied']++;
        if ((walked.verdict === 'ACCEPT') === judged.allowed) continue;
        const all = { way, destinationChanged, packet, judged, walked };
        throw new Error(`rules and evaluator differ: ${JSON.stringify(all, undefined, 1)}`);
      }
    }
  }
}
