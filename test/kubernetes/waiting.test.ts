/** Daemons that start before their datastore does: they wait, say so once, and go on when it comes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { askControl } from '../../daemon/control.ts';
import { temporaryFolder } from '../../datastore/testing.ts';
import { createNamespace, deleteNamespace, namespacePath, run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { ROOT } from '../house/sources.ts';
import { Crossing } from './crossing.ts';
import { withKubeServer } from './suite.ts';

const DAEMONS = { bgpd: 'bgpd/daemon/main.ts', felix: 'felix-lite/daemon/main.ts' } as const;
const NODE = 'waiting-1';

describeOnKernel('daemons that start before their datastore', function () {
  this.timeout(180_000);
  const server = withKubeServer();
  const children: ChildProcess[] = [];
  const crossings: Crossing[] = [];
  const namespaces: string[] = [];

  afterEach(async () => {
    for (const child of children.splice(0)) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
    }
    for (const crossing of crossings.splice(0)) await crossing.close();
    for (const name of namespaces.splice(0)) deleteNamespace(name);
  });

  /** Both daemons in a namespace of their own, from which the datastore is reached at the port that it has outside. */
  async function start(datastore: string, port: number): Promise<Started> {
    const name = `pwait${process.pid}-${namespaces.length}`;
    createNamespace(name);
    namespaces.push(name);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const netns = namespacePath(name);
    const folder = temporaryFolder();
    const crossing = new Crossing(netns, port, join(folder, 'crossing.sock'));
    crossings.push(crossing);
    const logs: Record<string, string> = {};
    for (const [daemon, main] of Object.entries(DAEMONS)) {
      const flags = ['--node', NODE, '--datastore', datastore, '--run-dir', folder];
      const command = [process.execPath, '--disable-warning=ExperimentalWarning', join(ROOT, main), ...flags];
      const child = spawn('nsenter', [`--net=${netns}`, '--', ...command], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      logs[daemon] = '';
      child.stderr?.on('data', (text: Buffer) => (logs[daemon] += text.toString()));
      children.push(child);
    }
    return { folder, logs, crossing };
  }

  it('wait for an API server, with no more rights than a node has, and for an etcd', async () => {
    const etcdPort = Number(server().etcd.endpoint.split(':')[1]);
    await server().killApi();
    const onApi = await start(server().location('poplin-node'), server().port);
    const onEtcd = await start(`etcd://127.0.0.1:${etcdPort}/waiting`, etcdPort);
    // The one lets connections in and has nobody to answer, the other refuses them.
    await onApi.crossing.open();
    await Promise.all([
      waitsAndGoesOn(onApi, async () => server().startApi()),
      waitsAndGoesOn(onEtcd, async () => onEtcd.crossing.open()),
    ]);
    const ends = children.map(({ exitCode, signalCode }) => exitCode ?? signalCode);
    expect(ends).to.deep.equal([null, null, null, null]);
  });
});

interface Started {
  readonly folder: string;
  /** What each daemon has said. */
  readonly logs: Readonly<Record<string, string>>;
  readonly crossing: Crossing;
}

async function waitsAndGoesOn({ folder, logs }: Started, come: () => Promise<unknown>): Promise<void> {
  const waits = (daemon: string): number => logs[daemon]?.split('waiting for it').length ?? 0;
  await until(() => Object.keys(DAEMONS).every((daemon) => waits(daemon) === 2), logs);
  await come();
  const isSynced = async (daemon: string): Promise<boolean> => {
    const asked = await askControl<{ synced?: boolean }>(join(folder, `${daemon}.sock`), 'GET', '/status');
    return asked.ok && asked.value.synced === true;
  };
  for (const daemon of Object.keys(DAEMONS)) await until(async () => isSynced(daemon), logs);
  for (const daemon of Object.keys(DAEMONS)) expect(waits(daemon), logs[daemon]).to.equal(2);
}

async function until(isSo: () => boolean | Promise<boolean>, logs: object): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${JSON.stringify(logs)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
