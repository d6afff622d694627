/**
 * One measurement of Poplin in a process of its own, so that its processor time and memory are its alone. Started by
 * `scenarios.ts` with the measurement as JSON; prints the figures as JSON.
 */
import { readFileSync } from 'node:fs';
import { yieldHelpers } from '../../daemon/helper-threads.ts';
import type { ResourceChange } from '../../felix-lite/calc/calculator.ts';
import type { Pipeline } from '../../felix-lite/daemon/pipeline.ts';
import { Recording, replay } from './replay.ts';
import { compareStates, inputsBetween, savedState, tell } from './same-state.ts';
import { type BackendName, bring, openPipeline } from './subject.ts';
import {
  arrived,
  bigSet,
  endpoint,
  moved,
  oneMore,
  podsOf,
  relabelled,
  type WorldSize,
  worldOf,
} from './world.ts';

export type Order =
  | {
      readonly measure: 'load';
      readonly backend: BackendName;
      readonly netns: string;
      readonly size: WorldSize;
    }
  | {
      readonly measure: 'relabel';
      readonly backend: BackendName;
      readonly netns: string;
      readonly size: WorldSize;
      /**
       * A pod of this node changes a policy of its own too, another one only sets; a moving one all of its policies, for those
       * of another pod here; an arriving one for such as no pod here has.
       */
      readonly of: 'local' | 'remote' | 'moving' | 'arriving';
      readonly rounds: number;
      /** An empty namespace, for bare netlink to do the same in. */
      readonly twin: string;
    }
  | {
      readonly measure: 'member';
      readonly backend: BackendName;
      readonly netns: string;
      readonly members: number;
      readonly rounds: number;
    }
  | {
      readonly measure: 'churn';
      readonly backend: BackendName;
      readonly netns: string;
      readonly size: WorldSize;
      readonly perSecond: number;
      readonly seconds: number;
      /** An empty namespace, for what should have come of it. */
      readonly twin: string;
    };

export interface Figures {
  /** Each change's, in order; of a load, the one. */
  readonly ms: readonly number[];
  /** The same changes', made by bare netlink or by the tools. */
  readonly limitMs?: readonly number[];
  /** Of this process and the tools that it ran. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** Of churn: seconds that it took in all, and changes done. */
  readonly seconds?: number;
  readonly changes?: number;
  /** Without the load before them. */
  readonly churnCpuSeconds?: number;
}

/** The first rounds make the code warm, as a daemon's is: V8 is still compiling when a hundred are done. */
const WARM_UP = 200;

type Measured = Omit<Figures, 'cpuSeconds' | 'peakBytes'>;

async function measure(order: Order): Promise<Measured> {
  const { backend, netns } = order;
  switch (order.measure) {
    case 'load': {
      const world = worldOf(order.size);
      const began = performance.now();
      const pipeline = await openPipeline(backend, netns);
      await bring(pipeline, world);
      const took = performance.now() - began;
      pipeline.close();
      return { ms: [took] };
    }
    case 'relabel':
      return relabel(order);
    case 'member': {
      const pipeline = await openPipeline(backend, netns);
      await bring(pipeline, bigSet(order.members));
      const ms: number[] = [];
      for (let round = 0; round < order.rounds + WARM_UP; round++) {
        const took = await bring(pipeline, [oneMore(round)]);
        if (round >= WARM_UP) ms.push(took);
        await pause();
      }
      pipeline.close();
      return { ms };
    }
    case 'churn':
      return churn(order);
  }
}

/** One pod after another is relabelled and relabelled back; then bare netlink or the tools do the same. */
async function relabel(order: Order & { readonly measure: 'relabel' }): Promise<Measured> {
  const { backend, netns, size, of, rounds, twin } = order;
  const recording = backend === 'nftables' ? new Recording() : undefined;
  const pipeline = await openPipeline(backend, netns);
  await bring(pipeline, worldOf(size));
  const pods = podsOf(size).filter(({ local }) => local === (of !== 'remote'));
  const changeOf = (round: number): ResourceChange => {
    const pod = pods[(round >> 1) % pods.length];
    if (pod === undefined) throw new Error('no pods');
    if (of === 'arriving') return arrived(pod, round, size);
    return of === 'moving' ? moved(pod, round) : relabelled(pod, round);
  };
  // Of one that arrives, its going back is none, nor that what rests is cleared away.
  const counts = (_: number, round: number): boolean => of !== 'arriving' || round % 2 === 0;
  const ms: number[] = [];
  const total = rounds + WARM_UP;
  for (let round = 0; round < total; round++) {
    recording?.mark();
    ms.push(await bring(pipeline, [changeOf(round)]));
    if (!counts(0, round)) await pipeline.apply(false);
    await pause();
  }
  let limitMs: readonly number[];
  if (backend === 'nftables') {
    recording?.stop();
    // Else the kernel would tell us of what netlink does, which takes its time.
    pipeline.close();
    // The first one is the load.
    limitMs = (await replay(twin, recording?.changes() ?? [], pause)).slice(1);
    await compareStates(backend, netns, twin);
  } else {
    limitMs = await toolChanges(pipeline, backend, netns, [changeOf(total), changeOf(total + 1)]);
    pipeline.close();
  }
  const [warm, warmLimit] = [ms, limitMs].map((each) =>
    each.filter(counts).slice(counts(0, 1) ? WARM_UP : WARM_UP / 2),
  );
  return { ms: warm ?? [], limitMs: (backend === 'nftables' ? warmLimit : limitMs) ?? [] };
}

/** How often the tools make a change and take it back. */
const TOOL_ROUNDS = 50;

async function toolChanges(
  pipeline: Pipeline,
  backend: Exclude<BackendName, 'nftables'>,
  netns: string,
  [there, back]: readonly [ResourceChange, ResourceChange],
): Promise<readonly number[]> {
  const before = await savedState(backend, netns);
  await bring(pipeline, [there]);
  const after = await savedState(backend, netns);
  const [forth, home] = [inputsBetween(before, after), inputsBetween(after, before)];
  await bring(pipeline, [back]);
  const ms: number[] = [];
  for (let round = 0; round < TOOL_ROUNDS; round++) {
    const began = performance.now();
    await tell(backend, netns, round % 2 === 0 ? forth : home);
    ms.push(performance.now() - began);
    await pause();
  }
  return ms;
}

/** Changes do not come back to back; timers and the collector of garbage have their turn in between. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

/**
 * Changes come at a steady rate whether or not the last one is done, and are applied together when the kernel is free, as
 * the daemon does. The time of each is from when it came.
 */
async function churn(order: Order & { readonly measure: 'churn' }): Promise<Measured> {
  const pipeline = await openPipeline(order.backend, order.netns);
  await bring(pipeline, worldOf(order.size));
  const pods = podsOf(order.size);
  const total = order.perSecond * order.seconds;
  const ms: number[] = [];
  const last = new Map<number, ResourceChange>();
  const cpuBefore = cpuSeconds();
  const began = performance.now();
  let came = 0;
  while (came < total) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * order.perSecond));
    if (due === came) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const first = came;
    const changes = [];
    for (; came < due; came++) {
      const pod = pods[came % pods.length];
      const round = Math.floor(came / pods.length);
      if (pod === undefined) continue;
      const change = round % 3 === 2 ? endpoint(pod) : relabelled(pod, round);
      changes.push(change);
      last.set(pod.index, change);
    }
    pipeline.update(changes);
    const applied = await pipeline.apply(false);
    if (applied.failures.length > 0) throw new Error(String(applied.failures[0]?.error));
    const now = performance.now();
    for (let index = first; index < due; index++) ms.push(now - began - (index / order.perSecond) * 1000);
  }
  const seconds = (performance.now() - began) / 1000;
  const churnCpuSeconds = cpuSeconds() - cpuBefore;
  // What rests goes with a pass that has nothing else to do.
  await pipeline.apply(false);
  pipeline.close();
  // What the changes should have come to, in a namespace that never saw them.
  const fresh = await openPipeline(order.backend, order.twin);
  await bring(fresh, [...worldOf(order.size), ...last.values()]);
  fresh.close();
  await compareStates(order.backend, order.netns, order.twin);
  return { ms, seconds, changes: total, churnCpuSeconds };
}

/** Processor time of this process and of its children that have ended (proc(5): utime, stime, cutime, cstime). */
function cpuSeconds(): number {
  const TICKS = 100;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS;
}

// As the daemon does.
yieldHelpers();
const order = JSON.parse(process.argv[2] ?? '') as Order;
const started = cpuSeconds();
const measured = await measure(order);
const figures: Figures = {
  ...measured,
  cpuSeconds: cpuSeconds() - started,
  peakBytes: process.resourceUsage().maxRSS * 1024,
};
// Not before it is out: a pipe takes some of a long line at a time.
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
