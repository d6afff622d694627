/** Who is measured: our plugin with its agent, two pairs of Debian's, and the kernel's work by itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Resource, unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { askControl } from '../../daemon/control.ts';
import { openStore, ResourceClient } from '../../datastore/index.ts';
import type { PluginCall } from './caller.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DEBIAN = '/usr/lib/cni';
export const SUBJECT = 'Poplin';
export const FLOOR = 'kernel work alone';

/** A pod by its number, and the path of its network namespace. */
export interface Pod {
  readonly index: number;
  readonly netns: string;
}

export interface Peer {
  readonly name: string;
  add(pod: Pod): PluginCall;
  del(pod: Pod): PluginCall;
  stop(): Promise<void>;
}

/** @returns the peers whose programs are there */
export async function startPeers(folder: string): Promise<Peer[]> {
  const reference = ['ptp', 'bridge'].filter((type) => existsSync(join(DEBIAN, type)));
  return [await poplin(folder), ...reference.map((type) => debian(folder, type)), floor(folder)];
}

async function poplin(folder: string): Promise<Peer> {
  const runDir = join(folder, 'run');
  const socket = join(runDir, 'agent.sock');
  const datastore = join(folder, 'datastore.db');
  await prepare(datastore);
  const agent = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'node', 'main.ts'),
      '--node=bench',
      `--datastore=${datastore}`,
      `--run-dir=${runDir}`,
      '--daemons=none',
      '--policy-wait=0',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await untilReady(socket, agent);
  const stdin = configuration(folder, 'poplin', { type: 'poplin', agent_socket: socket });
  const calling = plugin(join(ROOT, 'cni-plugin', 'poplin'), stdin);
  return {
    name: SUBJECT,
    add: (pod) => calling('ADD', pod),
    del: (pod) => calling('DEL', pod),
    stop: () =>
      new Promise((resolve) => {
        agent.once('exit', () => resolve());
        agent.kill('SIGTERM');
      }),
  };
}

function debian(folder: string, type: string): Peer {
  const stdin = configuration(folder, type, {
    type,
    ...(type === 'bridge' ? { bridge: 'benchbr0', isGateway: true } : {}),
    ipam: {
      type: 'host-local',
      dataDir: join(folder, `host-local-${type}`),
      ranges: [[{ subnet: type === 'ptp' ? '10.66.0.0/16' : '10.67.0.0/16' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  });
  const calling = plugin(join(DEBIAN, type), stdin);
  return {
    name: `${type} + host-local`,
    add: (pod) => calling('ADD', pod),
    del: (pod) => calling('DEL', pod),
    stop: () => Promise.resolve(),
  };
}

/** Two programs of iproute2 with a batch each do what an ADD has to; one removes the pair. No plugin can be below it by much. */
function floor(folder: string): Peer {
  const batch = (name: string, lines: readonly string[]): string => {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  return {
    name: FLOOR,
    add: ({ index, netns }) => {
      const host = `floor${index}`;
      const space = netns.slice(netns.lastIndexOf('/') + 1);
      const address = `10.68.${index >> 8}.${index & 255}`;
      const ofHost = batch(`floor-host-${index}`, [
        `link add ${host} address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns ${space}`,
        `link set ${host} up`,
        `route replace ${address}/32 dev ${host}`,
      ]);
      const ofPod = batch(`floor-pod-${index}`, [
        `address add ${address}/32 dev eth0`,
        'link set eth0 up',
        'neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0',
        'route add 169.254.1.1 dev eth0',
        'route add default via 169.254.1.1 dev eth0',
      ]);
      const ip = '/usr/bin/ip';
      return {
        commands: [
          [ip, '-batch', ofHost],
          [ip, '-n', space, '-batch', ofPod],
        ],
        env: {},
        stdin: '/dev/null',
      };
    },
    del: ({ index }) => ({
      commands: [['/usr/bin/ip', 'link', 'delete', `floor${index}`]],
      env: {},
      stdin: '/dev/null',
    }),
    stop: () => Promise.resolve(),
  };
}

function configuration(folder: string, name: string, conf: object): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify({ cniVersion: '1.0.0', name: `bench-${name}`, ...conf }));
  return path;
}

function plugin(executable: string, stdin: string): (command: string, pod: Pod) => PluginCall {
  return (command, { index, netns }) => ({
    commands: [[executable]],
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: `pod${index}`,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: DEBIAN,
    },
    stdin,
  });
}

async function prepare(datastore: string): Promise<void> {
  const store = await openStore(datastore);
  const client = new ResourceClient(store, new SystemClock());
  const node: Resource = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name: 'bench' },
    spec: {},
  };
  const pool: Resource = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'bench' },
    spec: {
      cidr: '10.65.0.0/16',
      blockSize: 26,
      natOutgoing: false,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload'],
      assignmentMode: 'Automatic',
    },
  };
  for (const resource of [node, pool]) unwrap(await client.apply(resource));
  await store.close();
}

async function untilReady(socket: string, agent: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400 && agent.exitCode === null; tries++) {
    const status = await askControl<{ ready: boolean }>(socket, 'GET', '/status');
    if (status.ok && status.value.ready) return;
    await sleep(25);
  }
  throw new Error('the agent did not get ready');
}
