/** A lab that stands, at least in part: its topology and its state, and the way to its members. */
import { PoplinError } from '../../api/problem.ts';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { type Result, fail, ok } from '../../api/problem.ts';
import { loadTopology } from '../topology/load.ts';
import { type LabNode, type Topology, namespaceName } from '../topology/topology.ts';
import { contextLab } from './context.ts';
import { type OnNode, notRunning } from './node.ts';
import { type LabState, knownLabs, readState, writeState } from './state.ts';

export interface RunningLab {
  readonly topology: Topology;
  readonly state: LabState;
  /** Writes the state to disk. */
  save(): void;
  node(name: string): LabNode | undefined;
  /** @throws PoplinError NODE_NOT_RUNNING */
  on(node: string): OnNode;
  /** Of a node or a workload. */
  namespace(member: string): string;
}

export function runningLab(topology: Topology, state: LabState): RunningLab {
  const nodes = new Map(topology.nodes.map((node) => [node.name, node]));
  return {
    topology,
    state,
    save: () => writeState(state),
    node: (name) => nodes.get(name),
    on(name) {
      const node = nodes.get(name);
      const init = state.nodes[name]?.init;
      if (node === undefined || init === undefined) throw new PoplinError([notRunning(name)]);
      return { lab: topology.name, node, init };
    },
    namespace: (member) => namespaceName(topology.name, member),
  };
}

/** Which lab a command means: the one it names, else the one that runs. */
export function chooseLab(name: string | undefined): Result<string> {
  const labs = knownLabs();
  const running = labs.find((lab) => lab === contextLab()) ?? (labs.length === 1 ? labs[0] : undefined);
  const chosen = name ?? running;
  if (chosen !== undefined && labs.includes(chosen)) return ok(chosen);
  if (chosen === undefined && labs.length > 1)
    return fail({
      code: 'LAB_AMBIGUOUS',
      what: `several labs run here: ${labs.join(', ')}`,
      remedy: 'name one',
    });
  return fail({
    code: 'LAB_NOT_FOUND',
    value: chosen,
    what: chosen === undefined ? 'no lab runs here' : `there is no lab "${chosen}" here`,
    remedy: 'start one with: npm run quickstart',
  });
}

/** The lab as it was started, from its state and the topology file it names. */
export function openLab(name: string | undefined): Result<RunningLab> {
  const chosen = chooseLab(name);
  if (!chosen.ok) return chosen;
  const state = readState(chosen.value);
  if (state === undefined || state.phase !== 'up')
    return fail({
      code: 'LAB_NOT_UP',
      value: chosen.value,
      what: `the lab "${chosen.value}" was not started to the end`,
      remedy: 'start it again with `poplin lab up`, or clean up with `poplin lab down`',
    });
  const topology = loadTopology(state.topologyFile);
  return topology.ok ? ok(runningLab(topology.value, state)) : topology;
}

export function topologyDigest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
