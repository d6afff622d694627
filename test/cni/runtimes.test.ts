/**
 * Real runtimes call the plugin: containerd through its CRI, as a kubelet does, and through `ctr`; podman with its CNI
 * backend. Two machines with the whole of Poplin on each, a cable between them, one datastore.
 */
import { expect } from 'chai';
import { join } from 'node:path';
import type { Resource } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Ipam } from '../../ipam/index.ts';
import { run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { unwrap } from '../../api/index.ts';
import { Cri } from './runtimes/cri.ts';
import { IMAGE, PAGE } from './runtimes/image.ts';
import { CONTAINERD_SOCKET, Machine, until } from './runtimes/machine.ts';
import { pool } from './runtime.ts';

const API = 'projectcalico.org/v3';
const ALLOW: Resource = {
  apiVersion: API,
  kind: 'Profile',
  metadata: { name: 'kns.shop' },
  spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
};
const DENY: Resource = {
  apiVersion: API,
  kind: 'NetworkPolicy',
  metadata: { name: 'closed', namespace: 'shop' },
  spec: {
    selector: "projectcalico.org/orchestrator == 'k8s'",
    tier: 'default',
    types: ['Ingress'],
    ingress: [],
  },
};
const CHAIN = [
  { type: 'poplin' },
  { type: 'portmap', snat: true, capabilities: { portMappings: true } },
] as const;

describeOnKernel('CNI: real runtimes', function () {
  this.timeout(120_000);
  const machines: Machine[] = [];
  let store: Store;
  let client: ResourceClient;
  let ipam: Ipam;
  let cris: Cri[] = [];

  before(async () => {
    machines.push(await Machine.start('m1'), await Machine.start('m2'));
    const [m1, m2] = machines as [Machine, Machine];
    const datastore = join(m1.folder, 'datastore.db');
    store = await openStore(datastore);
    client = new ResourceClient(store, new SystemClock());
    ipam = new Ipam(store, new SystemClock(), Math.random);
    for (const resource of [node('m1', 1), node('m2', 2), ALLOW]) unwrap(await client.apply(resource));
    for (const each of [pool('v4', '10.65.0.0/16', 26), pool('v6', 'fd00:10:65::/64', 122)])
      unwrap(await client.apply(each));
    await cable(m1, m2);
    await Promise.all(
      machines.map(async (machine) => {
        machine.configure(CHAIN);
        await Promise.all([machine.startAgent(datastore), machine.startContainerd()]);
      }),
    );
    cris = machines.map((machine) => new Cri(machine.path(CONTAINERD_SOCKET), machine.cgroup));
  });
  after(async () => {
    for (const cri of cris) cri.close();
    await store?.close();
    for (const machine of machines) await machine.remove();
  });

  const nothingLeft = async (): Promise<void> => {
    expect(unwrap(await client.list('WorkloadEndpoint')).map(({ metadata }) => metadata.name)).to.deep.equal(
      [],
    );
    const held = (await ipam.blocks()).flatMap(({ allocations }) =>
      allocations.map(({ address }) => address.toString()),
    );
    expect(held).to.deep.equal([]);
    for (const machine of machines) {
      expect(await machine.exec('ip', '-br', 'link', 'show', 'type', 'veth')).not.to.contain('cali');
      expect(await machine.exec('iptables-save', '-t', 'nat')).not.to.contain('CNI-DN');
    }
  };

  it('containerd, as a kubelet drives it: pods of two nodes reach each other, policy holds, ports are mapped', async () => {
    const [m1, m2] = machines as [Machine, Machine];
    const [first, second] = cris as [Cri, Cri];
    expect(await first.networkFault()).to.equal(undefined);
    const a = await first.run({ namespace: 'shop', name: 'a' });
    const b = await second.run({ namespace: 'shop', name: 'b', ports: [[18080, 80]] });
    const [v4 = '', v6 = ''] = await second.addresses(b);
    expect(v4).to.match(/^10\.65\./);
    expect(v6).to.match(/^fd00:10:65:/);
    for (const [address, port] of [
      [v4, 80],
      [v6, 80],
      ['192.168.77.2', 18080],
    ] as const) {
      const answers = async (): Promise<boolean> => (await fetch(m1, a, address, port)) === PAGE;
      await until(`${address} answers on port ${port}`, answers, 20_000);
    }
    expect(await ask(m1, [], '192.168.77.2', 18080)).to.equal(PAGE);

    unwrap(await client.apply(DENY));
    await until('the policy holds', async () => (await fetch(m1, a, v4)) !== PAGE);
    unwrap(await client.delete('NetworkPolicy', 'closed', 'shop'));
    await until('the policy is gone', async () => (await fetch(m1, a, v4)) === PAGE);

    // As a kubelet does: stop, stop again, remove. The later calls have neither namespace nor prevResult.
    for (const [cri, id] of [
      [first, a],
      [second, b],
    ] as const) {
      await cri.stop(id);
      await cri.stop(id);
      await cri.remove(id);
    }
    await nothingLeft();
    expect(await m2.exec('ip', 'route')).not.to.contain('cali');
  });

  it('containerd: ten pods at once on each node, and away again', async () => {
    const ids = await Promise.all(
      cris.flatMap((cri, node) =>
        Array.from({ length: 10 }, async (_, i) => {
          const id = await cri.run({ namespace: 'shop', name: `many-${node}-${i}` });
          return { cri, id, addresses: await cri.addresses(id) };
        }),
      ),
    );
    expect(new Set(ids.flatMap(({ addresses }) => addresses)).size).to.equal(40);
    await Promise.all(
      ids.map(async ({ cri, id }) => {
        await cri.stop(id);
        await cri.remove(id);
      }),
    );
    await nothingLeft();
  });

  it('containerd: a pod whose namespace vanished behind its back, and one whose shim was killed, go for good', async () => {
    const [machine] = machines as [Machine];
    const [cri] = cris as [Cri];
    const ids = [
      await cri.run({ namespace: 'shop', name: 'lost' }),
      await cri.run({ namespace: 'shop', name: 'shot' }),
    ];
    const [lost = '', shot = ''] = ids;
    const pid = await pidOfTask(machine, shot);
    await machine.exec('sh', '-c', `p=$(sed -n 's/^PPid:\\t//p' /proc/${pid}/status); kill -9 "$p" ${pid}`);
    await machine.exec('sh', '-c', 'for n in /run/netns/cni-*; do umount "$n"; rm -f "$n"; done');
    for (const id of [lost, shot]) {
      await cri.stop(id);
      await cri.remove(id);
    }
    await nothingLeft();
  });

  it('ctr: a container in the foreground is detached when it ends; a detached one by GC alone', async () => {
    const [machine] = machines as [Machine];
    const ctr = (...args: readonly string[]): Promise<string> =>
      machine.exec('ctr', '-a', CONTAINERD_SOCKET, ...args);
    const text = await ctr(
      'run',
      '--rm',
      '--cni',
      '--cgroup',
      `${machine.cgroup}/once`,
      IMAGE,
      'once',
      '/bin/busybox',
      'ip',
      'address',
    );
    expect(text)
      .to.match(/inet 10\.65\.[\d.]+\/32/)
      .and.match(/inet6 fd00:10:65:[0-9a-f:]+\/128/);
    await nothingLeft();

    await ctr('run', '--detach', '--cni', '--cgroup', `${machine.cgroup}/stays`, IMAGE, 'stays');
    await ctr('task', 'kill', '--signal', 'SIGKILL', 'stays');
    await until('it has ended', async () => (await ctr('task', 'ls')).includes('STOPPED'));
    await ctr('task', 'rm', 'stays');
    await ctr('container', 'rm', 'stays');
    expect(unwrap(await client.list('WorkloadEndpoint'))).to.have.length(1);
    await gc(machine, []);
    await nothingLeft();
  });

  it('podman: published ports, an address of its own choosing, and nothing left', async () => {
    const [machine] = machines as [Machine];
    await machine.preparePodman();
    await machine.podman(
      'run',
      '--cgroup-parent',
      machine.cgroup,
      '-d',
      '--name',
      'web',
      '--network',
      'cluster',
      '-p',
      '127.0.0.1:18081:80',
      '--ip',
      '10.65.7.7',
      IMAGE,
    );
    await until(
      'the published port answers',
      async () => (await ask(machine, [], '127.0.0.1', 18081)) === PAGE,
    );
    expect(await ask(machine, [], '10.65.7.7', 80)).to.equal(PAGE);
    await machine.podman('rm', '-f', '-t', '0', 'web');
    await nothingLeft();
  });

  it('a runtime that is killed with everything it ran leaves nothing once GC has been called', async () => {
    const [machine] = machines as [Machine];
    const [cri] = cris as [Cri];
    await cri.run({ namespace: 'shop', name: 'orphan' });
    await machine.exec(
      'sh',
      '-c',
      `for p in $(busybox pidof containerd containerd-shim-runc-v2 busybox); do kill -9 $p; done; true`,
    );
    await gc(machine, []);
    expect(unwrap(await client.list('WorkloadEndpoint'))).to.deep.equal([]);
    expect(await machine.exec('ip', '-br', 'link', 'show', 'type', 'veth')).not.to.contain('cali');
  });
});

async function pidOfTask(machine: Machine, id: string): Promise<string> {
  const tasks = await machine.exec('ctr', '-a', CONTAINERD_SOCKET, '-n', 'k8s.io', 'task', 'ls');
  return new RegExp(`${id}\\s+(\\d+)`).exec(tasks)?.[1] ?? '';
}

/** What the pod behind this address answers, asked from the network of a container of containerd. */
async function fetch(machine: Machine, id: string, address: string, port = 80): Promise<string> {
  return ask(machine, ['nsenter', `--net=/proc/${await pidOfTask(machine, id)}/ns/net`], address, port);
}

/** The page that is served there, or why there is none. A static busybox cannot ask: it looks names up, and crashes. */
function ask(machine: Machine, enter: readonly string[], address: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${address}/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && sed '1,/^.$/d' <&3`;
  return machine
    .exec('env', ...enter, 'timeout', '2', 'bash', '-c', script)
    .catch((error: unknown) => String(error));
}

/** What no runtime calls yet, as libcni would. */
async function gc(machine: Machine, valid: readonly object[]): Promise<void> {
  const conf = {
    cniVersion: '1.1.0',
    name: 'cluster',
    type: 'poplin',
    agent_socket: join(machine.runDir, 'agent.sock'),
    'cni.dev/valid-attachments': valid,
  };
  await run(join(import.meta.dirname, '..', '..', 'cni-plugin', 'poplin'), [], {
    stdin: JSON.stringify(conf),
    env: { PATH: '/usr/bin:/bin', CNI_COMMAND: 'GC', CNI_PATH: '/opt/cni/bin' },
  });
}

/** One wire between the two, both families. */
async function cable(a: Machine, b: Machine): Promise<void> {
  await run('nsenter', [
    `--net=${a.netns}`,
    'ip',
    'link',
    'add',
    'wire',
    'type',
    'veth',
    'peer',
    'name',
    'wire',
    'netns',
    pidOf(b),
  ]);
  for (const [machine, n] of [
    [a, 1],
    [b, 2],
  ] as const) {
    await machine.exec('ip', 'address', 'add', `192.168.77.${n}/24`, 'dev', 'wire');
    await machine.exec('ip', 'address', 'add', `fd00:77::${n}/64`, 'dev', 'wire', 'nodad');
    await machine.exec('ip', 'link', 'set', 'wire', 'up');
  }
}

function pidOf({ netns }: Machine): string {
  return netns.split('/')[2] ?? '';
}

function node(name: string, n: number): Resource {
  return {
    apiVersion: API,
    kind: 'Node',
    metadata: { name },
    spec: { bgp: { ipv4Address: `192.168.77.${n}/24`, ipv6Address: `fd00:77::${n}/64` } },
  };
}
