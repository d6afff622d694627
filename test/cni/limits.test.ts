/** Workloads with limits: in the kernel, with packets, beside the bandwidth plugin, over changes and restarts. */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unwrap } from '../../api/index.ts';
import { run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { DEBIAN, Libcni } from './libcni.ts';
import { A, CniWorld } from './world.ts';

const MEGABIT = 1_000_000;
const QOS = 'qos.projectcalico.org/';
/** Two megabits a second, and next to nothing at once. */
const SLOW = { [`${QOS}egressBandwidth`]: '2M', [`${QOS}egressBurst`]: '100k' };

describeOnKernel('CNI: limits', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  const pod = (annotations: Readonly<Record<string, string>>) =>
    world.node.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: 'shop', annotations },
      spec: { nodeName: 'n1', containers: [{}] },
    });
  const queues = async (): Promise<string> =>
    (await run('nsenter', [`--net=${world.host.path()}`, 'tc', 'qdisc', 'show'])).stdout;
  const until = async (what: RegExp, there = true): Promise<void> => {
    for (let tries = 0; tries < 600; tries++) {
      if (what.test(await queues()) === there) return;
      await sleep(100);
    }
    expect(await queues()).to.match(there ? what : /another picture/);
  };
  const limit = async (qosControls: Readonly<Record<string, number>>): Promise<void> => {
    const [endpoint] = await world.endpoints();
    if (endpoint === undefined) throw new Error('there is no endpoint');
    const { client } = await world.node.open();
    const { qosControls: _, ...spec } = endpoint.spec;
    unwrap(await client.apply({ ...endpoint, spec: { ...spec, qosControls } }));
  };

  it('lets a pod send and receive no faster than its annotations say', async () => {
    await pod({ ...SLOW, [`${QOS}ingressBandwidth`]: '4M', [`${QOS}ingressBurst`]: '100k' });
    const result = await world.add();
    const address = result.ips[0]?.address.split('/')[0] ?? '';
    expect(await queues())
      .to.match(/tbf 706f: dev cali\S+ root .*rate 4Mbit/)
      .and.match(/tbf 706f: dev bwcali\S+ root .*rate 2Mbit/);
    // 200 kB are 0.4 s at 4 Mbit/s and 0.8 s at 2 Mbit/s; what goes at once and what waits takes off a part.
    expect(await seconds(world.host.path(), world.pod.path(), address)).to.be.greaterThan(0.25);
    expect(await seconds(world.pod.path(), world.host.path(), '192.0.2.1')).to.be.greaterThan(0.5);
    expect((await world.node.call({ ...world.attach(), command: 'DEL' })).exitCode).to.equal(0);
    await world.expectNothingLeft();
    expect(await queues()).not.to.contain('706f:');
    expect(await world.host.ip('link')).not.to.contain('bwcali');
  });

  it('is told by CHECK when somebody takes a limit away', async () => {
    await pod({ ...SLOW, [`${QOS}ingressBandwidth`]: '4M' });
    const prevResult = await world.add();
    const check = world.attach({ command: 'CHECK', conf: world.node.conf({ prevResult }) });
    expect((await world.node.call(check)).stdout).to.equal('');
    const [cable = ''] = await world.cables();
    await run('nsenter', [`--net=${world.host.path()}`, 'tc', 'qdisc', 'delete', 'dev', cable, 'root']);
    const error = await world.refused(check);
    expect([error.code, error.msg.includes('limits')]).to.deep.equal([100, true]);
  });

  it('takes limits from a runtime that tells of them', async () => {
    const bandwidth = { IngressRate: 8 * MEGABIT, IngressBurst: 8 * MEGABIT, EgressRate: 0 };
    await world.add({ conf: world.node.conf({ runtimeConfig: { bandwidth } }) });
    expect(await queues())
      .to.match(/tbf 706f: .*rate 8Mbit/)
      .and.not.match(/bwcali/);
    const [endpoint] = await world.endpoints();
    expect(endpoint?.spec.qosControls).to.include({ ingressBandwidth: 8 * MEGABIT });
  });

  it('follows the endpoint, on and off, and over a restart of the agent', async () => {
    await world.add();
    await limit({ ingressBandwidth: 3 * MEGABIT, egressBandwidth: 5 * MEGABIT });
    await until(/dev cali\S+ root .*rate 3Mbit/);
    await until(/dev bwcali\S+ root .*rate 5Mbit/);
    await limit({ ingressBandwidth: 6 * MEGABIT });
    await until(/rate 6Mbit/);
    await until(/bwcali/, false);
    await world.node.kill();
    await limit({ egressBandwidth: 7 * MEGABIT });
    await world.node.start();
    await until(/dev bwcali\S+ root .*rate 7Mbit/);
    await until(/706f: dev cali/, false);
  });

  it('removes what shaped a workload whose namespace took the cable along', async () => {
    await pod(SLOW);
    const [, end] = (await world.add()).interfaces;
    expect(await queues()).to.contain('bwcali');
    await world.node.kill();
    await world.pod.ip('link', 'delete', end?.name ?? '');
    await world.node.start();
    await until(/bwcali/, false);
    await world.expectNothingLeft();
  });

  it('leaves it to the bandwidth plugin where that stands behind us', async function () {
    if (!existsSync(join(DEBIAN, 'bandwidth'))) {
      console.error(`SKIPPED: ${DEBIAN} is not there; apt-get install containernetworking-plugins`);
      this.skip();
    }
    await pod({ 'kubernetes.io/ingress-bandwidth': '9M' });
    const chain = new Libcni(world.host.path(), [
      { type: 'poplin', agent_socket: world.node.socket },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ]);
    const target = {
      containerId: A,
      netns: world.pod.path(),
      ifName: 'eth0',
      args: world.attach().args ?? '',
    };
    const told = { bandwidth: { ingressRate: 9 * MEGABIT, ingressBurst: 9 * MEGABIT } };
    await chain.add(target, told);
    expect(await queues()).to.match(/tbf 1: dev cali\S+ root .*rate 9Mbit/);
    // Another change wakes us: the plugin's bucket stays.
    await limit({ ingressBandwidth: 2 * MEGABIT, egressBandwidth: 2 * MEGABIT });
    await until(/dev bwcali\S+ root .*rate 2Mbit/);
    expect(await queues()).to.match(/tbf 1: dev cali\S+ root .*rate 9Mbit/);
    await chain.check(target, told);
    await chain.del(target, told);
    await world.expectNothingLeft();
  });
});

const SINK = `const [host] = process.argv.slice(1);
require('node:net').createServer((socket) => {
  let got = 0;
  socket.on('data', (chunk) => { got += chunk.length; if (got >= 200_000) socket.end('all'); });
}).listen({ host, port: 4445 }, () => console.log('ready'));`;
const SOURCE = `const [host] = process.argv.slice(1);
const socket = require('node:net').connect({ host, port: 4445 });
const began = performance.now();
socket.write(Buffer.alloc(200_000));
socket.on('data', () => { console.log((performance.now() - began) / 1000); socket.end(); });`;

/** How long 200 kB take from one namespace to an address in another: no less, however long this machine lets either end lie. */
async function seconds(from: string, to: string, address: string): Promise<number> {
  const server = spawn('nsenter', [`--net=${to}`, '--', process.execPath, '-e', SINK, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(server.stdout, 'data');
    const { stdout } = await run(process.execPath, ['-e', SOURCE, address], {
      netns: from,
      deadlineMs: 60_000,
    });
    return Number(stdout);
  } finally {
    server.kill('SIGKILL');
  }
}
