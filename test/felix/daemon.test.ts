/** The executable as the node agent starts it: its sockets and files, and what `kill -9` does to traffic. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { askControl } from '../../daemon/control.ts';
import { setReady } from '../../datastore/migrate/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Agent } from './agent.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile, dbFromWeb } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

const POLICY = dbFromWeb(8080);

describeOnKernel('the felix-lite daemon', function () {
  this.timeout(180_000);
  let node: TestNode;
  let agent: Agent;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    agent = new Agent(node);
    await node.put(openProfile('prod'), endpointOf(WEB), endpointOf(DB), POLICY);
  });
  afterEach(async () => {
    await agent.kill('SIGKILL');
    await node.remove();
  });

  it('answers on its socket: status, and why a packet lives or dies', async () => {
    agent.start();
    const status = await agent.ready();
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
    agent.start();
    await agent.ready();
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
      await agent.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 200));
      agent.start();
      await agent.ready();
    }
    expectUnbroken(await stream.stop());
    expect(await node.prober('web').ping(connection, true)).to.equal(true);
  }

  it('leaves the kernel alone while a migration holds the datastore, over a restart too, and goes on after it', async () => {
    agent.start();
    const before = await agent.ready();
    const rules = policyRules();
    await setReady(node.store, new SystemClock(), false);
    // Half an import: policies and endpoints are gone, or not there yet.
    await node.delete(POLICY, endpointOf(WEB));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await agent.status()).appliedRevision).to.equal(before.appliedRevision);
    expect(policyRules()).to.equal(rules);
    await agent.kill('SIGKILL');
    agent.start();
    await agent.answering();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await agent.status()).to.deep.include({ synced: false, ready: false });
    expect(policyRules()).to.equal(rules);
    await setReady(node.store, new SystemClock(), true);
    expect((await agent.ready()).endpoints.map((each) => each.interface)).to.deep.equal(['cali20000000000']);
    expect(policyRules()).to.not.equal(rules);
  });

  function policyRules(): string {
    const saved = execFileSync('nsenter', [`--net=${node.netns}`, 'iptables-save'], { encoding: 'utf8' });
    return saved.replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
  }

  it('ends on SIGTERM and leaves policy in the kernel', async () => {
    agent.start();
    await agent.ready();
    expect(await agent.kill('SIGTERM')).to.equal(0);
    expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
    expect(await node.prober('outside').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
  });

  it('says in one line what is wrong with its options', async () => {
    const child = agent.start('--no-such-option');
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code).to.equal(2);
    expect(said.trim().split('\n')).to.have.length(1);
    expect(said).to.include('--no-such-option');
  });
});
