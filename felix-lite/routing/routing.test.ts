/** The whole of routing on the real kernel, with a datastore: what others do to it, and faults. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { silent } from '../../daemon/log.ts';
import { Address } from '../../net/addr/index.ts';
import { openStore, type Store } from '../../datastore/index.ts';
import { formatRoute, Netlink, run as runIn, TABLE_MAIN } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import type { RouteExplanation } from './explain.ts';
import { Routing } from './routing.ts';

/** How long a thing may take on a busy machine; normally it is at once. */
const PATIENCE = 60_000;

const put = (kind: string, scope: string, name: string, value: object) => ({
  type: 'put' as const,
  key: { kind, scope, name },
  value,
  expect: 'any' as const,
});

const remove = (kind: string, scope: string, name: string) => ({
  type: 'delete' as const,
  key: { kind, scope, name },
  expect: 'any' as const,
});

const resource = (kind: string, name: string, spec: object) =>
  put(kind, '', name, { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });

const node = (name: string, last: number) =>
  resource('Node', name, {
    bgp: { ipv4Address: `192.0.2.${last}/24` },
    ipv4VXLANTunnelAddr: `10.244.${last}.1`,
  });
const block = (name: string, last: number) =>
  put('BlockAffinity', `host:${name}`, `10.244.${last}.0/26`, { state: 'confirmed' });
const pool = (spec: object) => resource('IPPool', 'pool', { cidr: '10.244.0.0/16', ...spec });
const felix = (spec: object) => resource('FelixConfiguration', 'default', spec);
const web = put('WorkloadEndpoint', 'default', 'a1-cni-web-eth0', {
  apiVersion: 'projectcalico.org/v3',
  kind: 'WorkloadEndpoint',
  metadata: { name: 'a1-cni-web-eth0', namespace: 'default' },
  spec: {
    orchestrator: 'cni',
    node: 'a1',
    containerID: 'web',
    endpoint: 'eth0',
    interfaceName: 'cali1',
    ipNetworks: ['10.244.1.2/32'],
    ipNATs: [{ internalIP: '10.244.1.2', externalIP: '10.244.200.1' }],
  },
});

const run = async (netns: string, command: string, args: readonly string[]): Promise<string> =>
  (await runIn(command, args, { netns })).stdout;

describeOnKernel('routing', function () {
  this.timeout(PATIENCE + 5_000);
  const here = freshNamespace();
  let folder: string;
  let store: Store;
  let kernel: Netlink;
  let routing: Routing;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-routing-'));
    store = await openStore(join(folder, 'datastore.db'));
    kernel = Netlink.open({ netns: here.path() });
    for (const name of ['eth0', 'cali1']) {
      await kernel.createVeth({ name, up: true, peer: { name: `${name}-peer` } });
      await kernel.setLink(`${name}-peer`, { up: true });
    }
    await here.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    routing = new Routing({
      node: 'a1',
      store,
      clock: new SystemClock(),
      log: silent,
      netns: here.path(),
      grace: 0,
    });
  });

  afterEach(async () => {
    await routing.stop();
    kernel.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  async function begin(...changes: readonly ReturnType<typeof put>[]): Promise<void> {
    await store.commit([node('a1', 1), node('a2', 2), block('a1', 1), block('a2', 2), ...changes]);
    routing.start();
  }

  const routesNow = async (): Promise<string> =>
    (await kernel.listRoutes({ table: TABLE_MAIN, version: 4 })).map(formatRoute).sort().join('\n');

  const explain = async (text: string): Promise<RouteExplanation> =>
    (await routing.explain(Address.parse(text) ?? expect.fail(text))) ?? expect.fail('not synced');

  const codes = (): string =>
    routing
      .status()
      .problems.map(({ code }) => code)
      .join();

  async function until(ask: () => string | Promise<string>, right: RegExp): Promise<string> {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const answer = await ask();
      if (right.test(answer)) return answer;
      if (performance.now() > end) throw new Error(`no ${right.source} in:\n${answer}`);
      await sleep(10);
    }
  }

  /** Waits for passes that find nothing left to do. */
  const atRest = async (): Promise<void> => {
    let before: string;
    do {
      before = `${routing.status().passes} ${routing.status().fullReads}`;
      await sleep(300);
    } while (before !== `${routing.status().passes} ${routing.status().fullReads}`);
  };

  const FAR = /^10\.244\.2\.0\/26 via 10\.244\.2\.1 dev vxlan\.calico onlink proto 81$/m;
  const OWN = /^blackhole 10\.244\.1\.0\/26 proto 81$/m;
  const HERE = /^10\.244\.1\.2\/32 dev cali1 proto 3$/m;

  it('puts back at once what somebody takes away: routes, a workload’s, the tunnel, its address, who is behind it', async () => {
    await begin(pool({ vxlanMode: 'Always' }), web);
    await until(routesNow, FAR);
    await until(routesNow, HERE);
    const damage: readonly { does: readonly string[]; ask: () => Promise<string>; right: RegExp }[] = [
      { does: ['route', 'del', '10.244.2.0/26'], ask: routesNow, right: FAR },
      { does: ['route', 'del', 'blackhole', '10.244.1.0/26'], ask: routesNow, right: OWN },
      { does: ['route', 'del', '10.244.1.2/32'], ask: routesNow, right: HERE },
      { does: ['route', 'flush', 'table', 'main', 'proto', '81'], ask: routesNow, right: FAR },
      {
        does: ['address', 'del', '10.244.1.1/32', 'dev', 'vxlan.calico'],
        ask: () => here.ip('address', 'show', 'dev', 'vxlan.calico'),
        right: /10\.244\.1\.1\/32/,
      },
      {
        does: ['neigh', 'del', '10.244.2.1', 'dev', 'vxlan.calico'],
        ask: () => here.ip('neigh', 'show', 'dev', 'vxlan.calico'),
        right: /10\.244\.2\.1 lladdr \S+ PERMANENT/,
      },
      { does: ['link', 'del', 'vxlan.calico'], ask: routesNow, right: FAR },
      {
        does: ['link', 'set', 'vxlan.calico', 'mtu', '1400'],
        ask: () => here.ip('link'),
        right: /vxlan\.calico: .*mtu 1450/,
      },
    ];
    for (const { does, ask, right } of damage) {
      // Whole again from the damage before, which may have taken this along.
      await until(ask, right);
      await here.ip(...does);
      await until(ask, right);
    }
    // Without a word of the kernel's: an IPv4 route that goes with its link.
    await here.ip('link', 'set', 'cali1', 'down');
    await here.ip('link', 'set', 'cali1', 'up');
    await until(routesNow, HERE);
  });

  it('puts back at once who is behind the tunnel’s far ends: forwarding entries', async () => {
    await begin(pool({ vxlanMode: 'Always' }));
    await until(routesNow, FAR);
    const behind = () => run(here.path(), 'bridge', ['fdb', 'show', 'dev', 'vxlan.calico']);
    const entry = await until(behind, /dst 192\.0\.2\.2/);
    const mac = /^(\S+) .*dst 192\.0\.2\.2/m.exec(entry)?.[1] ?? '';
    await run(here.path(), 'bridge', ['fdb', 'del', mac, 'dev', 'vxlan.calico', 'dst', '192.0.2.2']);
    await until(behind, /dst 192\.0\.2\.2/);
  });

  describe('reads the kernel in full', () => {
    const READS = ['listLinks', 'listAddresses', 'listRoutes', 'listNeighbours', 'listForwarding'] as const;
    let dumps: string[];
    const spied: (() => void)[] = [];

    beforeEach(() => {
      dumps = [];
      for (const name of READS) {
        const original = Netlink.prototype[name] as (...args: unknown[]) => Promise<unknown>;
        Object.assign(Netlink.prototype, {
          [name](this: Netlink, ...args: unknown[]): Promise<unknown> {
            if (this !== kernel) dumps.push(name);
            return original.apply(this, args);
          },
        });
        spied.push(() => Object.assign(Netlink.prototype, { [name]: original }));
      }
    });

    afterEach(() => {
      for (const restore of spied.splice(0)) restore();
    });

    it('at the start, and not for nodes and workloads that come and go, nor for what somebody takes away', async () => {
      await begin(pool({ vxlanMode: 'Always' }), web);
      await until(routesNow, FAR);
      await until(routesNow, HERE);
      await atRest();
      expect(dumps).to.include.members([...READS]);
      const { passes } = routing.status();
      const before = routing.status().fullReads;
      dumps.length = 0;
      await store.commit([node('a3', 3), block('a3', 3)]);
      await until(routesNow, /^10\.244\.3\.0\/26 via 10\.244\.3\.1 dev vxlan\.calico onlink proto 81$/m);
      await here.ip('route', 'del', '10.244.3.0/26');
      await until(routesNow, /^10\.244\.3\.0\/26 via/m);
      await here.ip('link', 'set', 'cali1', 'down');
      await until(routesNow, /^(?!.*10\.244\.1\.2\/32)/s);
      await here.ip('link', 'set', 'cali1', 'up');
      await until(routesNow, HERE);
      await store.commit([remove('Node', '', 'a3'), remove('BlockAffinity', 'host:a3', '10.244.3.0/26')]);
      await until(routesNow, /^(?!.*10\.244\.3\.0\/26)/s);
      await here.ip('neigh', 'del', '10.244.2.1', 'dev', 'vxlan.calico');
      await until(() => here.ip('neigh', 'show', 'dev', 'vxlan.calico'), /10\.244\.2\.1 lladdr/);
      await atRest();
      expect(routing.status().passes).to.be.greaterThan(passes + 4);
      expect(dumps).to.deep.equal([]);
      expect(routing.status().fullReads).to.equal(before);
    });

    it('again once a refresh interval', async () => {
      await begin(pool({ vxlanMode: 'Always' }), felix({ routeRefreshInterval: '300ms' }));
      await until(routesNow, FAR);
      dumps.length = 0;
      await until(() => [...new Set(dumps)].sort().join(), new RegExp([...READS].sort().join()));
    });
  });

  it('leaves a stranger’s route in the place of its own, says so, and takes the place when it is free', async () => {
    await here.ip('route', 'add', '10.244.2.0/26', 'via', '192.0.2.9', 'proto', 'static');
    await begin(pool({ vxlanMode: 'Always' }));
    await until(codes, /ROUTE_STRANGER/);
    expect(routing.status().missing).to.equal(1);
    expect(await routesNow()).to.match(/^10\.244\.2\.0\/26 via 192\.0\.2\.9 dev eth0 proto 4$/m);
    await here.ip('route', 'del', '10.244.2.0/26', 'proto', 'static');
    await until(routesNow, FAR);
    await until(codes, /^$/);
    // And one that comes later, in one step.
    await here.ip('route', 'replace', '10.244.2.0/26', 'via', '192.0.2.9', 'proto', 'static');
    await until(codes, /ROUTE_STRANGER/);
  });

  it('says that somebody else has a device under its name, and goes on with the rest', async () => {
    await here.ip('link', 'add', 'vxlan.calico', 'type', 'bridge');
    await begin(pool({ vxlanMode: 'Always' }), web);
    await until(codes, /TUNNEL_FOREIGN/);
    await until(routesNow, HERE);
    await until(routesNow, OWN);
    expect(await here.ip('-d', 'link', 'show', 'vxlan.calico')).to.contain('bridge');
    await here.ip('link', 'del', 'vxlan.calico');
    await until(routesNow, FAR);
    await until(codes, /^$/);
  });

  it('says what the kernel refuses, in its words, and goes on with the rest', async () => {
    await begin(pool({ vxlanMode: 'Always' }), web, felix({ vxlanMTU: 20 }));
    await until(codes, /TUNNEL_REFUSED/);
    await until(routesNow, HERE);
    await until(routesNow, OWN);
    await store.commit([felix({ vxlanMTU: 1400 })]);
    await until(routesNow, FAR);
    await until(codes, /^$/);
    expect(routing.status().tunnels['vxlan.calico']).to.include({ mtu: 1400, mtuFrom: 'FelixConfiguration' });
  });

  it('says that the address of the Node is on no interface, and begins when it is', async () => {
    await here.ip('address', 'del', '192.0.2.1/24', 'dev', 'eth0');
    await begin(pool({ vxlanMode: 'Always' }), web);
    await until(codes, /NODE_ADDRESS_ABSENT/);
    await until(routesNow, HERE);
    await here.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await until(routesNow, FAR);
    await until(codes, /^$/);
  });

  it('goes on beside a node without an address, two with the same, and a pool over its own subnet', async () => {
    const over = resource('IPPool', 'over', { cidr: '192.0.0.0/16', vxlanMode: 'Always' });
    await begin(
      pool({ vxlanMode: 'Always' }),
      over,
      resource('Node', 'bare', {}),
      block('bare', 7),
      resource('Node', 'twin', { bgp: { ipv4Address: '192.0.2.2/24' } }),
    );
    await until(routesNow, FAR);
    await until(codes, /^NODE_ADDRESS_DOUBLE,POOL_OVERLAPS_HOST$/);
    expect(await routesNow()).not.to.contain('10.244.7.0/26');
  });

  it('touches no route while routeSyncDisabled says so, and all of them afterwards', async () => {
    await begin(pool({ vxlanMode: 'Always' }), web, felix({ routeSyncDisabled: true }));
    await until(() => String(routing.status().tunnels['vxlan.calico']?.mtu), /1450/);
    await until(() => String(routing.status().passes), /^[1-9]/);
    expect(await routesNow()).not.to.match(/proto (?:81|3)$/m);
    expect(routing.status().routeSync).to.equal(false);
    await store.commit([felix({})]);
    await until(routesNow, FAR);
    await until(routesNow, HERE);
  });

  it('routes a floating IP to its workload while they are switched on', async () => {
    const FLOATING = /^10\.244\.200\.1\/32 dev cali1 proto 3$/m;
    await begin(pool({}), web, felix({ floatingIPs: 'Enabled' }));
    await until(routesNow, FLOATING);
    await until(() => JSON.stringify(routing.status().workloads), /^\{"routes":2,"waiting":\[\]\}$/);
  });

  it('explains the way to an address, and what the kernel does instead is an alarm', async () => {
    await begin(pool({ vxlanMode: 'Always' }), web);
    await until(routesNow, FAR);
    await until(routesNow, HERE);
    expect(await explain('10.244.2.9')).to.deep.equal({
      to: '10.244.2.9',
      node: 'a1',
      pool: {
        pool: 'pool',
        cidr: '10.244.0.0/16',
        encapsulation: 'vxlan',
        crossSubnet: false,
        writer: 'felix',
      },
      block: { cidr: '10.244.2.0/26', node: 'a2' },
      wanted: {
        route: '10.244.2.0/26 via 10.244.2.1 dev vxlan.calico onlink proto 81',
        because: "the block is node a2's; IPPool pool is vxlan",
      },
      kernel: {
        route: '10.244.2.0/26 via 10.244.2.1 dev vxlan.calico onlink proto 81',
        destination: '10.244.2.0/26',
        owner: 'felix-lite',
        source: '10.244.1.1',
      },
      problems: [],
      alarms: [],
    });
    expect(await explain('10.244.1.2')).to.deep.include({
      workload: { name: 'default/a1-cni-web-eth0', node: 'a1' },
      alarms: [],
    });
    const own = await explain('10.244.1.9');
    expect(own.kernel?.route).to.equal('blackhole 10.244.1.0/26 proto 81');
    expect(own.alarms).to.deep.equal([]);
    await here.ip('route', 'add', '10.244.2.9/32', 'via', '192.0.2.9', 'proto', 'static');
    expect((await explain('10.244.2.9')).alarms).to.deep.equal([
      'the kernel sends packets to 10.244.2.9 by 10.244.2.9/32 via 192.0.2.9 dev eth0 proto 4 (static), and felix-lite wants 10.244.2.0/26 via 10.244.2.1 dev vxlan.calico onlink proto 81',
    ]);
    expect((await explain('203.0.113.7')).kernel).to.equal(undefined);
  });

  it('tells how pools are routed, over which devices, and where their MTU comes from', async () => {
    await begin(pool({ vxlanMode: 'CrossSubnet' }));
    await until(() => Object.keys(routing.status().tunnels).join(), /vxlan/);
    const { pools, tunnels } = routing.status();
    expect(pools).to.deep.equal([
      { pool: 'pool', cidr: '10.244.0.0/16', encapsulation: 'vxlan', crossSubnet: true, writer: 'felix' },
    ]);
    expect(tunnels).to.deep.equal({
      'vxlan.calico': {
        address: '10.244.1.1',
        mtu: 1450,
        mtuFrom: '1500 of eth0 less 50 for the tunnel',
        over: 'eth0',
      },
    });
  });
});
