/** Routes to this node's workloads, on the real kernel. */
import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { formatRoute, makeRoute, Netlink, type Route, TABLE_MAIN } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import type { EndpointFacts } from './facts.ts';
import { routingSettings } from './settings.ts';
import { WorkloadRoutes, type WorkloadRoutesOutcome, workloadRouteWishes } from './workload-routes.ts';

type Spec = Parameters<typeof routingSettings>[0];

const host = (text: string): Prefix => Prefix.host(Address.parse(text) ?? expect.fail(text));

const onA1 = (text: string) => ({ prefix: host(text), node: 'a1' });

function endpoint(name: string, interfaceName: string, ...addresses: string[]): EndpointFacts {
  return {
    name: `default/${name}`,
    node: 'a1',
    interfaceName,
    addresses: addresses.map(onA1),
    floating: [onA1('203.0.113.9')],
  };
}

const texts = (endpoints: readonly EndpointFacts[], spec: Spec = {}): string[] =>
  workloadRouteWishes(endpoints, routingSettings(spec)).map(
    ({ prefix, device }) => `${prefix.toString()} ${device}`,
  );

const over = (name: string, text: string, protocol = 3): Route =>
  makeRoute({ destination: host(text), protocol, nextHops: [{ interface: name }] });

describe('what routes to workloads are wanted', () => {
  const web = endpoint('web', 'cali1', '10.244.1.2', 'fd00::2');

  it('are each address over its interface, and floating IPs where they are switched on', () => {
    expect(texts([web])).to.deep.equal(['10.244.1.2/32 cali1', 'fd00::2/128 cali1']);
    expect(texts([web], { floatingIPs: 'Enabled' })).to.include('203.0.113.9/32 cali1');
  });

  it('are none over what is no workload’s interface', () => {
    expect(texts([endpoint('x', 'eth0', '10.244.1.2')])).to.deep.equal([]);
    expect(texts([endpoint('x', 'tap1', '10.244.1.2')], { interfacePrefix: 'cali,tap' })).to.have.length(1);
  });

  it('do not depend on the order of endpoints that claim one address', () => {
    const other = endpoint('api', 'cali2', '10.244.1.2');
    expect(texts([web, other])[0]).to.equal('10.244.1.2/32 cali2');
    expect(texts([other, web])).to.deep.equal(texts([web, other]));
  });
});

describeOnKernel('routes to workloads', () => {
  const here = freshNamespace();
  const web = [endpoint('web', 'cali1', '10.244.1.2', 'fd00::2')];
  let kernel: Netlink;
  let routes: WorkloadRoutes;
  let now: number;
  beforeEach(async () => {
    kernel = Netlink.open({ netns: here.path() });
    routes = new WorkloadRoutes(kernel);
    now = 0;
    for (const name of ['cali1', 'eth0']) {
      await kernel.createVeth({ name, up: true, peer: { name: `${name}-peer` } });
      await kernel.setLink(`${name}-peer`, { up: true });
    }
    await kernel.addAddress('eth0', Address.parse('192.0.2.1') ?? expect.fail(), 24);
  });
  afterEach(() => kernel.close());

  function apply(spec: Spec = {}, endpoints = web): Promise<WorkloadRoutesOutcome> {
    const settings = routingSettings(spec);
    return routes.apply(workloadRouteWishes(endpoints, settings), settings, now);
  }

  /** Over workloads' interfaces and to single addresses, less what the kernel makes itself. */
  async function there(): Promise<string[]> {
    const all = await kernel.listRoutes({ table: TABLE_MAIN });
    return all
      .filter(({ protocol, destination }) => protocol !== 2 && destination.isHost)
      .map(formatRoute)
      .sort();
  }

  const put = (...list: Route[]) => kernel.applyRoutes(list.map((route) => ({ op: 'add', route })));
  it('are made as the agent makes them, and found right the next time', async () => {
    await put(over('cali1', '10.244.1.2'));
    expect(await apply()).to.deep.include({ steps: 1, routes: 2, waiting: [], problems: [] });
    expect(await there()).to.deep.equal([
      '10.244.1.2/32 dev cali1 proto 3',
      'fd00::2/128 dev cali1 proto 3 metric 1024',
    ]);
    expect((await apply()).steps).to.equal(0);
  });

  it('take protocol, metric and source from FelixConfiguration, and leave none of the old kind behind', async () => {
    await apply();
    const spec = {
      deviceRouteProtocol: 90,
      ipv4NormalRoutePriority: 512,
      ipv6NormalRoutePriority: 600,
      deviceRouteSourceAddress: '192.0.2.1',
    };
    await apply(spec);
    const want = [
      '10.244.1.2/32 dev cali1 proto 90 metric 512 src 192.0.2.1',
      'fd00::2/128 dev cali1 proto 90 metric 600',
    ];
    expect(await there()).to.deep.equal(want);
    expect((await apply(spec)).steps).to.equal(0);
  });

  it('never have a protocol by which somebody else knows his own', () => {
    for (const protocol of [0, 2, 80, 81]) {
      const settings = routingSettings({ deviceRouteProtocol: protocol });
      expect(settings.workloads.protocol).to.equal(3);
      expect(settings.problems.map(({ code }) => code)).to.deep.equal(['ROUTE_PROTOCOL_TAKEN']);
    }
  });

  it('wait for an interface that is not there', async () => {
    const outcome = await apply({}, [endpoint('late', 'cali9', '10.244.1.9')]);
    expect(outcome).to.deep.include({ routes: 0, waiting: ['cali9'], problems: [] });
  });

  it('take the place of those that led to where the workload was before, and not of a stranger’s', async () => {
    const gateway = Address.parse('192.0.2.2') ?? expect.fail();
    const elsewhere = (text: string, protocol: number): Route =>
      makeRoute({ destination: host(text), protocol, nextHops: [{ gateway }] });
    await put(elsewhere('10.244.1.2', 80), elsewhere('10.244.1.3', 4));
    const two = [...web, endpoint('db', 'cali1', '10.244.1.3')];
    const outcome = await apply({}, two);
    expect(outcome.problems.map(({ code, value }) => `${code} ${String(value)}`)).to.deep.equal([
      'ROUTE_STRANGER 10.244.1.3/32',
    ]);
    expect(await there()).to.deep.equal([
      '10.244.1.2/32 dev cali1 proto 3',
      '10.244.1.3/32 via 192.0.2.2 dev eth0 proto 4',
      'fd00::2/128 dev cali1 proto 3 metric 1024',
    ]);
  });

  it('go when nobody wants them any more, and others over the interface with them, after a while', async () => {
    await apply();
    await put(over('cali1', '10.244.1.7', 4), over('eth0', '10.244.1.8', 4));
    await apply({}, []);
    expect(await there(), 'at first').to.have.length(4);
    expect(routes.waiting).to.equal(true);
    now += 10_000;
    await apply({}, []);
    expect(await there()).to.deep.equal(['10.244.1.8/32 dev eth0 proto 4']);
    expect(routes.waiting).to.equal(false);
  });

  it('leave others’ over the interface where removeExternalRoutes is off', async () => {
    await apply();
    await put(over('cali1', '10.244.1.7', 4));
    await apply({ removeExternalRoutes: false }, []);
    now += 10_000;
    await apply({ removeExternalRoutes: false }, []);
    expect(await there()).to.deep.equal(['10.244.1.7/32 dev cali1 proto 4']);
  });
});
