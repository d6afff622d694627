/** Addresses from a real DHCP server, over the interface that is to have them. */
import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { DEBIAN, Libcni, type Target } from './libcni.ts';
import { reach } from './reach.ts';
import { A, CniWorld, type Result } from './world.ts';

const BUSYBOX = '/bin/busybox';

describeOnKernel('CNI: addresses from DHCP', function () {
  this.timeout(120_000);
  const world = new CniWorld();
  let folder: string;
  let children: ChildProcess[] = [];

  before(function () {
    for (const [file, from] of [
      [join(DEBIAN, 'dhcp'), 'containernetworking-plugins'],
      [BUSYBOX, 'busybox-static'],
    ] as const) {
      if (existsSync(file)) continue;
      console.error(`SKIPPED: ${file} is not there; apt-get install ${from}`);
      this.skip();
    }
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-dhcp-'));
  });
  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    children = [];
    rmSync(folder, { recursive: true, force: true });
  });

  const onHost = (...words: string[]): void => {
    const child = spawn('nsenter', [`--net=${world.host.path()}`, '--', ...words], { stdio: 'ignore' });
    children.push(child);
  };
  it('are asked for when the cable is there, and given back before it goes', async () => {
    const socket = join(folder, 'dhcp.sock');
    onHost(join(DEBIAN, 'dhcp'), 'daemon', '-socketpath', socket);
    await until('the daemon', () => existsSync(socket));
    const chain = new Libcni(world.host.path(), [
      { type: 'poplin', agent_socket: world.node.socket, ipam: { type: 'dhcp', daemonSocketPath: socket } },
    ]);
    const target: Target = { containerId: A, netns: world.pod.path(), ifName: 'eth0' };
    const cable = `cali${A.slice(0, 11)}`;
    writeFileSync(join(folder, 'leases'), '');
    const settings = [
      'start 10.84.0.10',
      'end 10.84.0.20',
      `interface ${cable}`,
      `lease_file ${join(folder, 'leases')}`,
      `pidfile ${join(folder, 'udhcpd.pid')}`,
      'option subnet 255.255.255.0',
      'option lease 3600',
    ];
    writeFileSync(join(folder, 'udhcpd.conf'), settings.join('\n'));
    // There is no interface to listen on before there is somebody to ask; who comes late is asked again after seconds.
    const script = 'until ip link show "$1" >/dev/null 2>&1; do :; done; shift; exec "$@"';
    const server = [BUSYBOX, 'udhcpd', '-f', '-a', '50', '-I', '192.0.2.1', join(folder, 'udhcpd.conf')];
    onHost('sh', '-c', script, 'sh', cable, ...server);
    const result = (await chain.add(target)) as unknown as Result;
    const address = result.ips[0]?.address ?? '';
    expect(address).to.match(/^10\.84\.0\.(1\d|20)\/32$/);
    expect(await world.addressesHeld()).to.deep.equal([]);
    const [endpoint] = await world.endpoints();
    expect(endpoint?.spec.ipNetworks).to.deep.equal([address]);
    expect(await reach(world.host.path(), world.pod.path(), address.split('/')[0] ?? '')).to.equal('hello');
    await chain.check(target);
    await chain.del(target);
    await world.expectNothingLeft();
    // A daemon that is gone holds up no pod.
    for (const child of children) child.kill('SIGKILL');
    const conf = world.node.conf({ ipam: { type: 'dhcp', daemonSocketPath: socket } });
    const path = DEBIAN;
    expect(
      (await world.node.call({ ...world.attach({ command: 'DEL', args: '' }), conf, path })).exitCode,
    ).to.equal(0);
    expect(await world.refused({ ...world.attach({ args: '' }), conf, path }))
      .to.have.property('msg')
      .that.contains('dhcp');
    await world.expectNothingLeft();
  });
});

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (holds()) return;
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`);
}
