/** The executable as the node agent starts it: its sockets and files, and what `kill -9` does to traffic. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { askControl } from '../../daemon/control.ts';
import { setReady } from '../../datastore/migrate/index.ts';
import type { FelixStatus } from '../../felix-lite/daemon/felix.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, NODE, TestNode, WEB, addressesOf, endpointOf, openProfile } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

const MAIN = join(import.meta.dirname, '../../felix-lite/daemon/main.ts');

const POLICY = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'NetworkPolicy',
  metadata: { name: 'db', namespace: 'prod' },
  spec: {
    selector: "role == 'db'",
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role == 'web'" },
        destination: { ports: [8080] },
      },
    ],
  },
};

describeOnKernel('the felix-lite daemon', function () {
  this.timeout(180_000);
  let node: TestNode;
  let daemon: ChildProcess | undefined;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.put(openProfile('prod'), endpointOf(WEB), endpointOf(DB), POLICY);
  });
  afterEach(async () => {
    await kill('SIGKILL');
    await node.remove();
  });

  function start(...more: readonly string[]): ChildProcess {
    const flags = [
      '--node',
      NODE,
      '--datastore',
      node.datastore,
      '--run-dir',
      node.runDir,
      '--log-level',
      'error',
    ];
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...flags, ...more];
    daemon = spawn('nsenter', [`--net=${node.netns}`, '--', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return daemon;
  }

  async function kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = daemon;
    daemon = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      // nsenter has become the daemon: it has the same pid.
      child.kill(signal);
    });
  }

  async function ready(): Promise<FelixStatus> {
    const wanted = await node.store.revision();
    const deadline = performance.now() + 60_000;
    for (;;) {
      const asked = await askControl<FelixStatus>(join(node.runDir, 'felix.sock'), 'GET', '/status');
      if (asked.ok && asked.value.ready && asked.value.appliedRevision === wanted) return asked.value;
      if (performance.now() > deadline) throw new Error(`not ready: ${JSON.stringify(asked)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('answers on its socket: status, and why a packet lives or dies', async () => {
    start();
    const status = await ready();
    expect(status.endpoints.map((each) => each.interface)).to.have.members([
      'cali10000000000',
      'cali20000000000',
    ]);
    const ask = async (port: number): Promise<unknown> => {
      const query = `source=${addressesOf(1)[6]}&destination=${addressesOf(2)[6]}&port=${port}`;
      const asked = await askControl(join(node.runDir, 'felix.sock'), 'GET', `/explain?${query}`);
      return asked.ok ? asked.value : asked.problems;
    };
    expect(await ask(8080)).to.deep.include({ allowed: true });
    expect(await ask(9090)).to.deep.include({ allowed: false });
    const refused = await askControl(join(node.runDir, 'felix.sock'), 'GET', '/explain?source=nowhere');
    expect(refused.ok ? [] : refused.problems.map(({ field }) => field)).to.deep.equal(['source']);
  });

  for (const [backend, spec] of Object.entries(BACKENDS))
    it(`lets no packet through and stops none that it should not, over kill -9 and restart, ${backend}`, () =>
      survives(spec));

  async function survives(spec: object): Promise<void> {
    await node.put(configurationOf(spec));
    start();
    await ready();
    const connection = await node.prober('web').open(addressesOf(2)[4], 8080);
    if (connection === undefined) throw new Error('could not connect');
    const stream = await Stream.start(
      node.network,
      ([4, 6] as const).flatMap((version) =>
        (['web', 'outside'] as const).map((from) =>
          node.network.flow(from, addressesOf(2)[version], 8080, from === 'web'),
        ),
      ),
    );
    for (let round = 0; round < 3; round++) {
      await kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 200));
      start();
      await ready();
    }
    expectUnbroken(await stream.stop());
    expect(await node.prober('web').ping(connection, true)).to.equal(true);
  }

  it('leaves the kernel alone while a migration holds the datastore, over a restart too, and goes on after it', async () => {
    start();
    const before = await ready();
    const rules = policyRules();
    await setReady(node.store, new SystemClock(), false);
    // Half an import: policies and endpoints are gone, or not there yet.
    await node.delete(POLICY, endpointOf(WEB));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await status()).appliedRevision).to.equal(before.appliedRevision);
    expect(policyRules()).to.equal(rules);
    await kill('SIGKILL');
    start();
    await answering();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await status()).to.deep.include({ synced: false, ready: false });
    expect(policyRules()).to.equal(rules);
    await setReady(node.store, new SystemClock(), true);
    expect((await ready()).endpoints.map((each) => each.interface)).to.deep.equal(['cali20000000000']);
    expect(policyRules()).to.not.equal(rules);
  });

  /** However long a busy machine takes to start it. */
  async function answering(): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const asked = await askControl(join(node.runDir, 'felix.sock'), 'GET', '/status');
      if (asked.ok) return;
      if (performance.now() > deadline) throw new Error(JSON.stringify(asked.problems));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function status(): Promise<FelixStatus> {
    const asked = await askControl<FelixStatus>(join(node.runDir, 'felix.sock'), 'GET', '/status');
    if (!asked.ok) throw new Error(JSON.stringify(asked.problems));
    return asked.value;
  }

  function policyRules(): string {
    const saved = execFileSync('nsenter', [`--net=${node.netns}`, 'iptables-save'], { encoding: 'utf8' });
    return saved.replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
  }

  it('ends on SIGTERM and leaves policy in the kernel', async () => {
    start();
    await ready();
    expect(await kill('SIGTERM')).to.equal(0);
    expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
    expect(await node.prober('outside').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
  });

  it('says in one line what is wrong with its options', async () => {
    const child = start('--no-such-option');
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).to.equal(2);
    expect(said.trim().split('\n')).to.have.length(1);
    expect(said).to.include('--no-such-option');
  });
});
