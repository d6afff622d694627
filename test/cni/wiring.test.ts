/** The cable of a workload, in real namespaces: packets cross it, and nothing else is disturbed. */
import { expect } from 'chai';
import { CniFailure } from '../../cni-plugin/error.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { makeRoute, Netlink, readSysctl } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { uplinkMtu } from '../../node/cni/mtu.ts';
import {
  type Cable,
  handleOfLink,
  HOST_MAC,
  type Host,
  closeHost,
  lookInto,
  openHost,
  prepareHostEnd,
  unwire,
  wire as plug,
  type Wired,
} from '../../node/cni/wiring.ts';
import { reach } from './reach.ts';

const v4 = address('10.65.0.1');
const v6 = address('fd00:10:65::1');

describeOnKernel('the cable of a workload', () => {
  const hostSpace = freshNamespace();
  const podSpace = freshNamespace();
  let host: Host;
  let netlink: Netlink;

  beforeEach(() => {
    host = openHost(hostSpace.path());
    netlink = host.netlink;
  });
  afterEach(() => closeHost(host));

  const wire = async (wanted: Cable): Promise<Wired> => {
    const pod = await lookInto(wanted.netns, wanted.ifName);
    try {
      return await plug(host, pod, wanted);
    } finally {
      pod.netlink.close();
    }
  };

  const cable = (extra: Partial<Cable> = {}): Cable => ({
    handle: 'net.4f1c',
    hostInterface: 'cali0123456789a',
    netns: podSpace.path(),
    ifName: 'eth0',
    mtu: 1400,
    mac: undefined,
    addresses: [v4, v6],
    routes: undefined,
    allowIpForwarding: false,
    ...extra,
  });

  it('carries both families at once, both ways, on a host without a default route', async () => {
    const wired = await wire(cable());
    expect(wired.mac).to.match(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(wired.routes.map(({ destination }) => destination.toString())).to.deep.equal([
      '0.0.0.0/0',
      '::/0',
    ]);
    await netlink.setLink('lo', { up: true });
    await netlink.addAddress('lo', address('192.0.2.1'), 32);
    await netlink.addAddress('lo', address('2001:db8::1'), 128, { noDuplicateDetection: true });
    for (const target of ['192.0.2.1', '2001:db8::1']) {
      expect(await reach(podSpace.path(), hostSpace.path(), target), target).to.equal('hello');
    }
    for (const target of ['10.65.0.1', 'fd00:10:65::1']) {
      expect(await reach(hostSpace.path(), podSpace.path(), target), target).to.equal('hello');
    }
  });

  it('leaves the kernel as Calico does', async () => {
    await wire(cable({ mac: '02:00:00:00:00:07' }));
    const link = await netlink.getLink('cali0123456789a');
    expect(link).to.include({ mac: HOST_MAC, mtu: 1400, up: true, kind: 'veth', alias: 'poplin:net.4f1c' });
    expect(link && handleOfLink(link)).to.equal('net.4f1c');
    expect(await hostSpace.ip('route', 'show', '10.65.0.1')).to.contain('dev cali0123456789a scope link');
    expect(await hostSpace.ip('-6', 'route', 'show', 'fd00:10:65::1')).to.contain('dev cali0123456789a');
    for (const [name, value] of [
      ['net/ipv4/conf/cali0123456789a/proxy_arp', '1'],
      ['net/ipv4/conf/cali0123456789a/route_localnet', '1'],
      ['net/ipv4/conf/cali0123456789a/forwarding', '1'],
      ['net/ipv6/conf/cali0123456789a/proxy_ndp', '1'],
      ['net/ipv6/conf/cali0123456789a/forwarding', '1'],
    ] as const) {
      expect(readSysctl(name, hostSpace.path()), name).to.equal(value);
    }
    expect(await podSpace.ip('-br', 'link', 'show', 'eth0')).to.contain('02:00:00:00:00:07');
    expect(await podSpace.ip('route'))
      .to.contain('default via 169.254.1.1 dev eth0')
      .and.contain('169.254.1.1 dev eth0');
    expect(await podSpace.ip('-6', 'route')).to.contain('default via fe80::ecee:eeff:feee:eeee dev eth0');
    expect(await podSpace.ip('neigh')).to.match(/169\.254\.1\.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT/);
    expect(readSysctl('net/ipv4/ip_forward', podSpace.path())).to.equal('0');
  });

  it('refuses a name that is taken in the namespace, and touches nothing', async () => {
    await podSpace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other');
    const error: unknown = await wire(cable()).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(CniFailure);
    expect((error as CniFailure).error).to.have.property('code', 102);
    expect(await netlink.getLink('cali0123456789a')).to.equal(undefined);
    expect(await podSpace.ip('link')).to.contain('other');
  });

  it('leaves nothing behind when a step fails half way', async () => {
    const error: unknown = await wire(cable({ addresses: [address('ff02::1')] })).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Error);
    expect(await netlink.getLink('cali0123456789a')).to.equal(undefined);
    expect(await podSpace.ip('-br', 'link')).not.to.contain('eth0');
  });

  it('takes over what a crash left under its name, and the routes of a dead workload', async () => {
    await hostSpace.ip('link', 'add', 'cali0123456789a', 'type', 'veth', 'peer', 'name', 'calideadbeef000');
    await hostSpace.ip('link', 'set', 'calideadbeef000', 'up');
    await hostSpace.ip('link', 'add', 'cali00000000000', 'type', 'veth', 'peer', 'name', 'x');
    await hostSpace.ip('link', 'set', 'cali00000000000', 'up');
    await hostSpace.ip(
      'route',
      'add',
      '10.65.0.1/32',
      'dev',
      'cali00000000000',
      'proto',
      'boot',
      'scope',
      'link',
    );
    await wire(cable());
    const routes = await netlink.listRoutes({ table: 254 });
    const own = routes.filter(({ destination }) => destination.equals(Prefix.host(v4)));
    expect(own.map(({ nextHops }) => nextHops[0]?.interface)).to.deep.equal(['cali0123456789a']);
  });

  it('gives a second network of the workload no default route, and its own list of routes', async () => {
    await wire(cable());
    const second = await wire(
      cable({
        handle: 'b.4f1c.net1',
        hostInterface: 'cali11111111111',
        ifName: 'net1',
        addresses: [address('10.66.0.1')],
      }),
    );
    expect(second.routes).to.deep.equal([]);
    const third = await wire(
      cable({
        handle: 'c.4f1c.net2',
        hostInterface: 'cali22222222222',
        ifName: 'net2',
        addresses: [address('10.67.0.1')],
        routes: [prefix('10.67.0.0/16'), prefix('fd00::/8')],
      }),
    );
    expect(third.routes.map(({ destination }) => destination.toString())).to.deep.equal(['10.67.0.0/16']);
    const routes = await podSpace.ip('route');
    expect(routes.match(/^default/gm)).to.have.length(1);
    expect(routes)
      .to.contain('default via 169.254.1.1 dev eth0')
      .and.contain('10.67.0.0/16 via 169.254.1.1 dev net2');
  });

  it('repairs the host end without disturbing it', async () => {
    await wire(cable());
    await hostSpace.ip('route', 'del', '10.65.0.1/32');
    await hostSpace.ip('link', 'set', 'cali0123456789a', 'down');
    const before = await netlink.getLink('cali0123456789a');
    await prepareHostEnd(host, { name: 'cali0123456789a', index: before?.index ?? 0 }, [v4, v6]);
    expect((await netlink.getLink('cali0123456789a'))?.index).to.equal(before?.index);
    expect(await hostSpace.ip('route', 'show', '10.65.0.1')).to.contain('cali0123456789a');
    expect(await hostSpace.ip('-6', 'route', 'show', 'fd00:10:65::1')).to.contain('cali0123456789a');
  });

  it('is taken out from the host side, twice without an error', async () => {
    await wire(cable());
    expect(await unwire(host, 'cali0123456789a')).to.equal(true);
    expect(await unwire(host, 'cali0123456789a')).to.equal(false);
    expect(await podSpace.ip('-br', 'link')).not.to.contain('eth0');
  });

  it("follows the MTU of the interface that has the node's address, else of the default route", async () => {
    await hostSpace.ip('link', 'add', 'up0', 'mtu', '9000', 'type', 'veth', 'peer', 'name', 'p0');
    await hostSpace.ip('link', 'add', 'up1', 'mtu', '1420', 'type', 'veth', 'peer', 'name', 'p1');
    for (const name of ['up0', 'p0', 'up1', 'p1']) await hostSpace.ip('link', 'set', name, 'up');
    await hostSpace.ip('address', 'add', '10.0.0.1/24', 'dev', 'up0');
    await hostSpace.ip('address', 'add', '10.0.1.1/24', 'dev', 'up1');
    await netlink.applyRoutes([
      {
        op: 'replace',
        route: makeRoute({
          destination: prefix('0.0.0.0/0'),
          protocol: 4,
          nextHops: [{ gateway: address('10.0.1.2') }],
        }),
      },
    ]);
    expect(await uplinkMtu(netlink, [address('10.0.0.1')])).to.equal(9000);
    expect(await uplinkMtu(netlink, [])).to.equal(1420);
  });
});

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}
