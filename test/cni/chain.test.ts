/** Between other plugins of a chain, with another IPAM plugin, and as one of several networks of a pod. */
import { expect } from 'chai';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { readSysctl } from '../../net/kernel/index.ts';
import { DEBIAN, Libcni, type PluginConf, type Target } from './libcni.ts';
import { reach } from './reach.ts';
import type { Call } from './runtime.ts';
import { A, CniWorld, type Result } from './world.ts';

/** An IPAM plugin that writes down what it is asked, and fails as told by a file of the command's name. */
const SCRIPT = `#!/bin/sh
cd "$(dirname "$0")" || exit 9
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $(cat | grep -o '"type":"note"')" >> asked
[ -e "fail-$CNI_COMMAND" ] && { echo '{"cniVersion":"1.1.0","code":123,"msg":"as told"}'; exit 1; }
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.83.0.5/24"}]}'
`;

describeOnKernel('CNI: chains', function () {
  this.timeout(120_000);
  const world = new CniWorld();
  let folder: string;

  before(function () {
    if (!existsSync(DEBIAN)) {
      console.error(`SKIPPED: ${DEBIAN} is not there; apt-get install containernetworking-plugins`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), 'poplin-chain-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const ours = (extra: object = {}): PluginConf => ({
    type: 'poplin',
    agent_socket: world.node.socket,
    ...extra,
  });
  const target = (ifName = 'eth0'): Target => ({
    containerId: A,
    netns: world.pod.path(),
    ifName,
    args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
  });

  const asked = (): string[] =>
    readFileSync(join(folder, 'note', 'asked'), 'utf8')
      .trim()
      .split('\n');
  const calls = (command: string, extra: object = {}): Call => ({
    ...world.attach({ command }),
    path: join(folder, 'note'),
    conf: world.node.conf({ ipam: { type: 'note' }, ...extra }),
  });

  it('stands before portmap, bandwidth and tuning: each finds what it needs, CHECK holds, DEL clears all', async () => {
    const runtimeConfig = {
      portMappings: [{ hostPort: 18080, containerPort: 4444, protocol: 'tcp' }],
      bandwidth: {
        ingressRate: 8_000_000,
        ingressBurst: 800_000,
        egressRate: 8_000_000,
        egressBurst: 800_000,
      },
    };
    const chain = new Libcni(world.host.path(), [
      ours(),
      { type: 'portmap', snat: true, capabilities: { portMappings: true } },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
      { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } },
    ]);
    const result = (await chain.add(target(), runtimeConfig)) as unknown as Result;
    expect(readSysctl('net/core/somaxconn', world.pod.path())).to.equal('500');
    const [name = ''] = await world.cables();
    expect(await world.host.ip('-details', 'link', 'show', name)).to.contain('qdisc tbf');
    const address = result.ips[0]?.address.split('/')[0] ?? '';
    expect(await reach(world.host.path(), world.pod.path(), address)).to.equal('hello');
    // portmap 1.1.1 looks for its IPv4 rules among those of IPv6, too, and never finds them.
    await chain.check(target(), runtimeConfig, ['portmap']);
    await chain.del(target(), runtimeConfig);
    await chain.del(target(), runtimeConfig);
    await world.expectNothingLeft();
    expect(await world.host.ip('link')).not.to.contain('ifb');
  });

  it('gives a pod of another plugin a second network, and leaves its default route alone', async () => {
    const first = { type: 'ptp', ipam: { type: 'host-local', dataDir: folder, subnet: '10.99.0.0/24' } };
    const ptp = new Libcni(world.host.path(), [first]);
    await ptp.add({ ...target(), ifName: 'eth0' });
    const second = new Libcni(world.host.path(), [ours()], '1.0.0', 'second');
    const both = (await second.add(target('net1'))) as unknown as Result;
    expect(both.interfaces.map(({ name }) => name)).to.include('net1');
    expect((await world.pod.ip('route')).match(/^default/gm) ?? []).to.have.length.at.most(1);
    await second.del(target('net1'));
    await ptp.del(target());
    await world.expectNothingLeft();
  });

  it('as Multus calls: three networks of one pod, one default route, and DEL of the middle one alone', async () => {
    const networks = ['one', 'two', 'three'].map(
      (name) => new Libcni(world.host.path(), [ours()], '0.3.1', name),
    );
    const names = ['eth0', 'net1', 'net2'];
    for (const [i, network] of networks.entries()) await network.add(target(names[i]));
    expect((await world.pod.ip('route')).match(/^default/gm)).to.have.length(1);
    expect(await world.addressesHeld()).to.have.length(6);
    await networks[1]?.del(target('net1'));
    expect(await world.addressesHeld()).to.have.length(4);
    expect((await world.endpoints()).map(({ spec }) => spec.endpoint)).to.have.members(['eth0', 'net2']);
    // Without namespace, as after a node's restart.
    for (const i of [0, 2]) await networks[i]?.del({ ...target(names[i]), netns: '' });
    await world.expectNothingLeft();
  });

  describe('with an IPAM plugin that writes down what it is asked', () => {
    beforeEach(() => {
      rmSync(join(folder, 'note'), { recursive: true, force: true });
      mkdirSync(join(folder, 'note'));
      writeFileSync(join(folder, 'note', 'note'), SCRIPT, { mode: 0o755 });
    });

    it('passes every command on to it, with its errors', async () => {
      const added = await world.node.call(calls('ADD'));
      expect((added.output as unknown as Result).ips[0]?.address).to.equal('10.83.0.5/32');
      const prevResult = added.output;
      expect((await world.node.call(calls('CHECK', { prevResult }))).stdout).to.equal('');
      expect((await world.node.call(calls('STATUS'))).stdout).to.equal('');
      const valid = { 'cni.dev/valid-attachments': [{ containerID: A, ifname: 'eth0' }] };
      expect((await world.node.call(calls('GC', valid))).stdout).to.equal('');
      expect((await world.node.call(calls('DEL'))).stdout).to.equal('');
      expect(asked()).to.deep.equal(
        ['ADD', 'CHECK', 'STATUS', 'GC', 'DEL'].map((command) => `${command} ${A} eth0 "type":"note"`),
      );
      for (const command of ['ADD', 'STATUS', 'GC']) {
        writeFileSync(join(folder, 'note', `fail-${command}`), '');
        const error = await world.refused(calls(command, command === 'GC' ? valid : {}));
        expect([error.code, error.msg], command).to.deep.equal([123, 'the IPAM plugin note: as told']);
      }
      await world.expectNothingLeft();
    });

    it('frees its own when the other fails to', async () => {
      await world.node.call(calls('ADD'));
      for (const command of ['GC', 'DEL']) writeFileSync(join(folder, 'note', `fail-${command}`), '');
      expect((await world.refused(calls('GC', { 'cni.dev/valid-attachments': [] }))).code).to.equal(123);
      await world.expectNothingLeft();
      expect((await world.refused(calls('DEL'))).code).to.equal(123);
    });
  });

  describe('with host-local', () => {
    it('takes both addresses from it and none from IPAM, checks with it, and gives them back without a namespace', async () => {
      const chain = new Libcni(world.host.path(), [ours({ ipam: hostLocal(folder) })]);
      const result = (await chain.add(target())) as unknown as Result;
      expect(result.ips.map(({ address }) => address)).to.deep.equal(['10.80.0.2/32', 'fd00:80::2/128']);
      expect(await world.addressesHeld()).to.deep.equal([]);
      expect(heldIn(folder)).to.have.length(2);
      expect(await reach(world.host.path(), world.pod.path(), '10.80.0.2')).to.equal('hello');
      await chain.check(target());
      await chain.del({ ...target(), netns: '' });
      expect(heldIn(folder)).to.deep.equal([]);
      await world.expectNothingLeft();
    });

    it('gives back what it took when a later step fails, and tells its words when it is exhausted', async () => {
      const taken = await world.refused({
        ...world.attach(),
        conf: world.node.conf({
          cniVersion: '1.0.0',
          ipam: hostLocal(folder),
          runtimeConfig: { mac: '01:00:00:00:00:00' },
        }),
      });
      expect(taken.msg).to.not.equal('');
      expect(heldIn(folder)).to.deep.equal([]);
      const small = {
        ...hostLocal(folder),
        ranges: [[{ subnet: '10.81.0.0/30', rangeStart: '10.81.0.2', rangeEnd: '10.81.0.2' }]],
      };
      const chain = new Libcni(world.host.path(), [ours({ ipam: small })]);
      await chain.add(target());
      const error = await chain.add({ ...target('net1') }).catch((reason: unknown) => String(reason));
      expect(error).to.contain('the IPAM plugin host-local: ').and.contain('no IP addresses available');
      await chain.del(target());
    });

    it('takes the ranges that Kubernetes gave the node', async () => {
      await world.node.apply({
        apiVersion: 'projectcalico.org/v3',
        kind: 'Node',
        metadata: { name: 'n1' },
        spec: {},
        status: { podCIDRs: ['10.82.0.0/24', 'fd00:82::/120'] },
      });
      const pods = { type: 'host-local', dataDir: folder, ranges: [[{ subnet: 'usePodCidr' }]] };
      const chain = new Libcni(world.host.path(), [ours({ ipam: pods })]);
      expect(((await chain.add(target())) as unknown as Result).ips[0]?.address).to.equal('10.82.0.2/32');
      await chain.del(target());
    });

    it('says where it looked when there is no such plugin, and does not take a path for a name', async () => {
      for (const type of ['no-such', '../bin/true']) {
        const conf = world.node.conf({ ipam: { type } });
        const error = await world.refused(world.attach({ conf }));
        expect([error.code, error.msg.includes('CNI_PATH')], type).to.deep.equal([11, true]);
      }
      await world.expectNothingLeft();
    });
  });
});

function hostLocal(dataDir: string): object {
  return {
    type: 'host-local',
    dataDir,
    ranges: [[{ subnet: '10.80.0.0/29' }], [{ subnet: 'fd00:80::/125' }]],
  };
}

/** A file for each address, under the network's name. */
function heldIn(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'net')).filter((name) => /^[\da-f]+[.:]/.test(name));
}
