/**
 * A change that cannot be written for a while: another program holds the lock of the iptables tools. Until it lets go the
 * policy of before stands whole, and then the new one; no packet passes that either denies, and no allowed flow is cut.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

const metadata = { name: 'db', namespace: 'prod' };
function policy(ports: readonly number[]): object {
  const ingress = [
    { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" }, destination: { ports } },
  ];
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata,
    spec: { selector: "role == 'db'", ingress },
  };
}

describeOnKernel('while the lock of the iptables tools is held', function () {
  this.timeout(180_000);
  let node: TestNode;
  let folder: string;
  let holder: ChildProcess | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-lock-'));
    // A lock of our own: the machine's is everybody's.
    process.env.XTABLES_LOCKFILE = join(folder, 'xtables.lock');
    node = await TestNode.create([WEB, DB]);
    await node.put(
      configurationOf(BACKENDS['iptables Legacy']),
      openProfile('prod'),
      endpointOf(WEB),
      endpointOf(DB),
      policy([8080]),
    );
    await node.startFelix();
  });
  afterEach(async () => {
    holder?.kill();
    await node.remove();
    delete process.env.XTABLES_LOCKFILE;
    rmSync(folder, { recursive: true, force: true });
  });

  it('the old policy stands whole, and the new one as soon as it is free', async () => {
    const file = join(folder, 'xtables.lock');
    holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo held; sleep 1.5'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder?.stdout?.once('data', resolve));
    await node.put(policy([8080, 9090]));
    const to = addressesOf(2)[4];
    const reach = (port: number, hoped: boolean): Promise<boolean> =>
      node.prober('web').reach('tcp', to, port, hoped);
    // What both policies say the same of.
    const stream = await Stream.start(node.network, [
      node.network.flow('web', to, 8080, true),
      node.network.flow('outside', to, 8080, false),
      node.network.flow('outside', to, 9090, false),
    ]);
    expect(await reach(9090, false)).to.equal(false);
    await node.settled();
    expect(await reach(9090, true)).to.equal(true);
    // And over a look at all that there is.
    await node.stopFelix();
    await node.startFelix();
    await node.settled();
    expectUnbroken(await stream.stop());
  });
});
