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
import { NODE, TestNode, type Workload, addressesOf, endpointOf, openProfile } from './node.ts';

const WEB: Workload = { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 };
const DB: Workload = { name: 'db', namespace: 'prod', labels: { role: 'db' }, index: 2 };

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
  this.timeout(30_000);
  let node: TestNode;
  let folder: string;
  let holder: ChildProcess | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-lock-'));
    // A lock of our own: the machine's is everybody's.
    process.env.XTABLES_LOCKFILE = join(folder, 'xtables.lock');
    node = await TestNode.create([WEB, DB]);
    await node.put(
      {
        apiVersion: 'projectcalico.org/v3',
        kind: 'FelixConfiguration',
        metadata: { name: `node.${NODE}` },
        spec: { nftablesMode: 'Disabled', iptablesBackend: 'Legacy' },
      },
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
    const reach = (from: string, port: number): Promise<boolean> =>
      node.prober(from).reach('tcp', addressesOf(2)[4], port);
    const seen = { passed: 0, cut: 0, leaked: 0 };
    const end = new AbortController();
    const always = async (from: string, port: number, allowed: boolean): Promise<void> => {
      while (!end.signal.aborted) {
        const reached = await reach(from, port);
        if (reached && !allowed) seen.leaked++;
        if (!reached && allowed) seen.cut++;
        if (reached && allowed) seen.passed++;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    // What both policies say the same of.
    const probes = [
      always('web', 8080, true),
      always('outside', 8080, false),
      always('outside', 9090, false),
    ];
    expect(await reach('web', 9090)).to.equal(false);
    await node.settled();
    expect(await reach('web', 9090)).to.equal(true);
    // And over a look at all that there is.
    await node.stopFelix();
    await node.startFelix();
    await node.settled();
    end.abort();
    await Promise.all(probes);
    expect(seen.leaked).to.equal(0);
    expect(seen.cut).to.equal(0);
    expect(seen.passed).to.be.greaterThan(50);
  });
});
