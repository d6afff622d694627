/**
 * Brings a lab up, or back to health: every stage makes only what is missing, so the same code starts a lab,
 * mends one that lost a process or a namespace, and does nothing to one that stands.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Problem, PoplinError, unwrap } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { terminate } from '../../daemon/process.ts';
import { listNamespaces, run } from '../../net/kernel/index.ts';
import { type Expectation, loadExpectation, manifestsPath } from '../expectation.ts';
import type { Narrator } from '../terminal/steps.ts';
import { loadTopology } from '../topology/load.ts';
import { type Role, type Topology, namespaceName } from '../topology/topology.ts';
import { ensureWorkloads } from '../workload/workloads.ts';
import { linkCommand, writeContext } from './context.ts';
import { removeLab } from './down.ts';
import type { Interrupt } from './interrupt.ts';
import { type RunningLab, runningLab, topologyDigest } from './lab.ts';
import { namespacesOf } from './leftovers.ts';
import { ensureNode } from './nodes.ts';
import { REPOSITORY, labPaths, nodeRunDir } from './paths.ts';
import { ROLES } from './roles.ts';
import { type LabState, readState } from './state.ts';
import { together } from './together.ts';
import { until } from './until.ts';
import { ensureLinks, ensureNamespaces } from './wiring.ts';
import { PATIENCE } from './patience.ts';

const AGENT_READY_MS = 30_000 * PATIENCE;

export interface Started {
  readonly lab: RunningLab;
  /** Undefined for a lab without workloads. */
  readonly expectation: Expectation | undefined;
  /** False when it stood already and was only looked after. */
  readonly fresh: boolean;
}

/** Reads everything that can be wrong before anything is made. */
export function readLab(file: string): { topology: Topology; expectation: Expectation | undefined } {
  const topology = unwrap(loadTopology(file));
  return { topology, expectation: unwrap(loadExpectation(topology)) };
}

/**
 * The caller holds the lab's lock. When a fresh start fails or is interrupted, what it made is removed again.
 * @throws PoplinError with what stood in the way
 */
export async function startLab(
  topology: Topology,
  expectation: Expectation | undefined,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<Started> {
  const { state, fresh } = await beginState(topology, narrator);
  const lab = runningLab(topology, state);
  try {
    const rewired = await wire(lab, narrator);
    await startRouters(lab, rewired, narrator, interrupt);
    await startPoplin(lab, rewired, fresh, narrator, interrupt);
    if (expectation !== undefined) await connectWorkloads(lab, expectation, narrator);
    interrupt.check();
    state.phase = 'up';
    writeContext(topology.name);
    // A machine of its own has this machine's files: the link would stay when it is gone.
    if (process.env['POPLIN_LAB_MACHINE'] === undefined) linkCommand(state);
    lab.save();
    return { lab, expectation, fresh };
  } catch (error) {
    if (fresh) await removeLab(topology.name);
    interrupt.check();
    throw error;
  }
}

async function beginState(
  topology: Topology,
  narrator: Narrator,
): Promise<{ state: LabState; fresh: boolean }> {
  const found = readState(topology.name);
  const digest = topologyDigest(topology.file);
  if (
    found?.phase === 'up' &&
    Object.values(found.nodes).some(({ namespace }) => listNamespaces().includes(namespace))
  ) {
    if (found.topologyDigest === digest) return { state: found, fresh: false };
    throw new PoplinError([otherTopology(topology, found)]);
  }
  if (found !== undefined || hasRemains(topology.name))
    await narrator.step('Clean-up', 'what an earlier start left behind', async () => {
      const { namespaces } = await removeLab(topology.name);
      return `removed what an earlier start left behind (${namespaces} namespaces)`;
    });
  const state: LabState = {
    version: 1,
    lab: topology.name,
    topologyFile: topology.file,
    topologyDigest: digest,
    phase: 'starting',
    nodes: Object.fromEntries(
      topology.nodes.map((node) => [node.name, { namespace: namespaceName(topology.name, node.name) }]),
    ),
    workloads: {},
    linkedCommand: false,
  };
  runningLab(topology, state).save();
  return { state, fresh: true };
}

function otherTopology(topology: Topology, found: LabState): Problem {
  return {
    code: 'LAB_DIFFERS',
    value: found.topologyFile,
    what: `the lab "${topology.name}" runs with another topology (${found.topologyFile}, or an older text of it)`,
    remedy: `take it down first: poplin lab down ${topology.name}`,
  };
}

function hasRemains(lab: string): boolean {
  const { state, durable } = labPaths(lab);
  return existsSync(state) || existsSync(durable) || namespacesOf(lab).length > 0;
}

/** @returns nodes whose interfaces are new, and whose addresses therefore have to be set */
async function wire(lab: RunningLab, narrator: Narrator): Promise<Set<string>> {
  const { topology, state } = lab;
  const rewired = new Set<string>();
  await narrator.step('Topology', 'namespaces and links', async () => {
    const made = new Set(await ensureNamespaces(topology.nodes.map((node) => lab.namespace(node.name))));
    for (const { name } of topology.nodes) {
      if (!made.has(lab.namespace(name))) continue;
      rewired.add(name);
      // What still runs sits in the namespace that lost its name.
      const init = state.nodes[name]?.init;
      if (init !== undefined) await terminate(init);
    }
    for (const name of await ensureLinks(topology.name, topology.links)) rewired.add(name);
    const ignored =
      topology.ignored.length === 0 ? '' : `; without effect here: ${topology.ignored.join(', ')}`;
    return `${topology.nodes.length} nodes, ${topology.links.length} links from ${shown(topology.file)}${ignored}`;
  });
  return rewired;
}

async function startRouters(
  lab: RunningLab,
  rewired: ReadonlySet<string>,
  narrator: Narrator,
  interrupt: Interrupt,
) {
  const routers = lab.topology.nodes.filter((node) => node.role !== 'poplin');
  if (routers.length === 0) return;
  interrupt.check();
  await narrator.step('Routers', 'start from their own configuration files', async () => {
    await together(routers.map((node) => ensureNode(lab, node, rewired.has(node.name), interrupt)));
    const versions = await versionsOf(routers.map((node) => node.role));
    return routers.map((node) => `${node.name} ${versions.get(node.role) ?? ''}`.trim()).join(', ');
  });
}

async function startPoplin(
  lab: RunningLab,
  rewired: ReadonlySet<string>,
  fresh: boolean,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<void> {
  const nodes = lab.topology.nodes.filter((node) => node.role === 'poplin');
  if (nodes.length === 0) return;
  interrupt.check();
  // Only once: afterwards the resources are the user's, who may have changed them.
  if (fresh) await applyManifests(lab, narrator);
  interrupt.check();
  await narrator.step('Nodes', 'agent, bgpd and felix-lite on each', async () => {
    await together(nodes.map((node) => ensureNode(lab, node, rewired.has(node.name), interrupt)));
    await together(nodes.map((node) => agentReady(lab, node.name, interrupt)));
    return `${nodes.map((node) => node.name).join(', ')}: agent, bgpd and felix-lite on each`;
  });
}

async function applyManifests(lab: RunningLab, narrator: Narrator): Promise<void> {
  const folder = manifestsPath(lab.topology.file);
  if (!existsSync(folder)) return;
  const command = `poplin apply -f ${shown(folder)}/`;
  await narrator.step('Resources', command, async () => {
    const { stdout } = await run(join(REPOSITORY, 'bin', 'poplin'), ['apply', '-f', folder], {
      env: { ...process.env, POPLIN_DATASTORE: labPaths(lab.topology.name).datastore },
    });
    const [, count] = /applied (\d+)/.exec(stdout) ?? [];
    return `${command}${count === undefined ? '' : `: ${count} resources`}`;
  });
}

async function agentReady(lab: RunningLab, node: string, interrupt: Interrupt): Promise<void> {
  const socket = join(nodeRunDir(lab.topology.name, node), 'agent.sock');
  const answered = await until(
    async () => {
      const status = await askControl(socket, 'GET', '/status', { deadlineMs: 2000 * PATIENCE });
      return status.ok ? true : undefined;
    },
    { withinMs: AGENT_READY_MS, check: interrupt.check },
  );
  if (answered === undefined)
    throw new PoplinError([
      {
        code: 'AGENT_SILENT',
        resource: node,
        value: socket,
        what: `the node agent of "${node}" does not answer`,
        remedy: `see ${labPaths(lab.topology.name).state}/inits/${node}/log`,
      },
    ]);
}

async function connectWorkloads(
  lab: RunningLab,
  expectation: Expectation,
  narrator: Narrator,
): Promise<void> {
  await narrator.step('Workloads', 'CNI ADD for each, by the real plugin', async () => {
    const made = await ensureWorkloads(lab, expectation);
    const all = expectation.workloads.length;
    if (made.length === 0) return `all ${all} stand`;
    return `${made.length} of ${all} connected by CNI ADD, an IPv4 and an IPv6 address each`;
  });
}

async function versionsOf(roles: readonly Role[]): Promise<Map<Role, string>> {
  const known = await Promise.all(
    [...new Set(roles)].map(async (role): Promise<[Role, string]> => {
      const [program, ...args] = ROLES[role].version ?? [];
      if (program === undefined) return [role, ''];
      const { stdout, stderr } = await run(program, args);
      return [role, `(${role.toUpperCase()} ${/version (\S+)/.exec(stdout + stderr)?.[1] ?? '?'})`];
    }),
  );
  return new Map(known);
}

/** A path as a person in the repository would write it. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}
