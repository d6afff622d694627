/** `poplin node init` as people run it, on a machine of its own: what it finds there by each method, and what it says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CommandError, run } from '../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../net/kernel/testing.ts';

const POPLIN = join(import.meta.dirname, '..', 'bin', 'poplin');
const EXIT_FAILURE = 1;

describeOnKernel('poplin node init', function () {
  this.timeout(60_000);
  const machine = freshNamespace();
  let folder = '';

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-node-init-'));
    for (const [name, address] of [
      ['eth0', '192.0.2.1/24'],
      ['eth1', '198.51.100.1/24'],
    ] as const) {
      await machine.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `veth-${name}`);
      await machine.ip('link', 'set', name, 'up');
      await machine.ip('link', 'set', `veth-${name}`, 'up');
      await machine.ip('addr', 'add', address, 'dev', name);
    }
    await machine.ip('route', 'add', '203.0.113.0/24', 'via', '192.0.2.9');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const init = async (options: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    const args = ['node', 'init', '--name=n1', '--datastore', join(folder, 'datastore.db'), ...options];
    return (await run(POPLIN, args, { netns: machine.path(), env: { ...process.env, ...env } })).stdout;
  };

  it('finds the address that leads to a destination, by the routes of the machine', async () => {
    const made = await init([
      '--ip=autodetect',
      '--ip-autodetection-method=can-reach=203.0.113.7',
      '--as=65001',
    ]);
    expect(made).to.equal('Node n1 created: 192.0.2.1/24, AS 65001\n');
    const other = await init([], { IP: 'autodetect', IP_AUTODETECTION_METHOD: 'can-reach=198.51.100.7' });
    expect(other).to.equal('Node n1 updated: 198.51.100.1/24, AS 65001\n');
    const node: unknown = JSON.parse(await init(['-o', 'json']));
    expect(node).to.have.nested.property('spec.interfaces[0].name', 'eth0');
    expect(node).to.have.nested.property('spec.interfaces[0].addresses').that.includes('192.0.2.1');
  });

  it('says what it could not find, and with what to go on', async () => {
    const call = init(['--ip=autodetect', '--ip-autodetection-method=skip-interface=eth.*']);
    const failed: unknown = await call.catch((error: unknown) => error);
    if (!(failed instanceof CommandError)) expect.fail('it ended well');
    expect(failed.exitCode).to.equal(EXIT_FAILURE);
    expect(failed.stderr).to.contain('no address of this machine fits the method skip-interface');
  });
});
