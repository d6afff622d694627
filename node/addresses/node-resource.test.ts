/** The Node of a machine and the addresses of its tunnels, with a real kernel and a real datastore. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IPPool, unwrap, validate } from '../../api/index.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Ipam } from '../../ipam/index.ts';
import { Netlink } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { makeNode, type NodeWishes } from './node-resource.ts';
import { TunnelAddresses } from './tunnel-addresses.ts';
import { parseWishes, type WishTexts } from './wishes.ts';

const wishes = (texts: WishTexts = {}): NodeWishes => unwrap(parseWishes(texts));

function pool(name: string, cidr: string, mode: object): IPPool {
  return unwrap(
    validate({
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: { name },
      spec: { cidr, blockSize: cidr.includes(':') ? 122 : 26, ...mode },
    }),
  ) as IPPool;
}

describeOnKernel('the Node of a machine', () => {
  const machine = freshNamespace();
  let folder = '';
  let store: Store;
  let client: ResourceClient;
  let netlink: Netlink;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-node-'));
    store = await openStore(join(folder, 'datastore.db'));
    client = new ResourceClient(store, new SystemClock());
    netlink = Netlink.open({ netns: machine.path() });
    await machine.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'other');
    await machine.ip('link', 'set', 'eth0', 'up');
    await machine.ip('addr', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await machine.ip('addr', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
  });
  afterEach(async () => {
    netlink.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  it('is made with what is found, left alone while that is true, and follows when told to', async () => {
    const made = unwrap(await makeNode('n1', wishes({ asNumber: '65001' }), client, netlink));
    expect(made.change).to.equal('created');
    expect(made.node.spec.bgp).to.deep.equal({
      asNumber: 65_001,
      ipv4Address: '192.0.2.1/24',
      ipv6Address: '2001:db8::1/64',
    });
    expect(unwrap(await makeNode('n1', wishes(), client, netlink)).change).to.equal('unchanged');
    await machine.ip('addr', 'del', '192.0.2.1/24', 'dev', 'eth0');
    await machine.ip('addr', 'add', '192.0.2.8/25', 'dev', 'eth0');
    const kept = unwrap(await makeNode('n1', wishes(), client, netlink));
    expect(kept.node.spec.bgp?.ipv4Address).to.equal('192.0.2.1/24');
    const moved = unwrap(await makeNode('n1', wishes({ ip: 'autodetect' }), client, netlink));
    expect([moved.change, moved.node.spec.bgp?.ipv4Address]).to.deep.equal(['updated', '192.0.2.8/25']);
  });

  it('is on the interface that was made last, where nobody says which, as Calico’s', async () => {
    await machine.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'another');
    await machine.ip('link', 'set', 'eth1', 'up');
    await machine.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth1');
    const made = unwrap(await makeNode('n1', wishes({ ip: 'autodetect' }), client, netlink));
    expect(made.node.spec.bgp?.ipv4Address).to.equal('198.51.100.1/24');
    const first = unwrap(
      await makeNode('n1', wishes({ ip: 'autodetect', method: 'interface=eth0' }), client, netlink),
    );
    expect(first.node.spec.bgp?.ipv4Address).to.equal('192.0.2.1/24');
  });

  it('keeps the address that it has where none is to be looked for', async () => {
    unwrap(await makeNode('n1', wishes({ ip: '192.0.2.1' }), client, netlink));
    const made = unwrap(await makeNode('n1', wishes({ ip: 'none', ip6: 'none' }), client, netlink));
    expect(made.node.spec.bgp?.ipv4Address).to.equal('192.0.2.1/24');
    const bare = unwrap(await makeNode('n2', wishes({ ip: 'none', ip6: 'none' }), client, netlink));
    expect(bare.node.spec).to.deep.equal({});
  });

  it('finds the way to a destination, and to one on its own loopback interface', async () => {
    await machine.ip('addr', 'add', '203.0.113.5/32', 'dev', 'lo');
    await machine.ip('link', 'set', 'lo', 'up');
    const loopback = unwrap(
      await makeNode('n1', wishes({ ip: 'autodetect', method: 'interface=lo' }), client, netlink),
    );
    expect(loopback.node.spec.bgp?.ipv4Address).to.equal('203.0.113.5/32');
  });

  it('tells of its uplinks and all their addresses, for automatic host endpoints, and follows them', async () => {
    await machine.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'vethbox');
    await machine.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth1');
    await machine.ip('addr', 'add', '198.51.100.9/24', 'dev', 'eth1');
    const only4 = unwrap(await makeNode('n1', wishes({ ip6: 'none' }), client, netlink)).node;
    expect(only4.spec.interfaces).to.deep.equal([
      { name: 'eth0', addresses: ['192.0.2.1'] },
      { name: 'eth1', addresses: ['198.51.100.1', '198.51.100.9'] },
      { name: 'other' },
    ]);
    await machine.ip('addr', 'del', '198.51.100.9/24', 'dev', 'eth1');
    const both = unwrap(await makeNode('n1', wishes(), client, netlink));
    expect(both.change).to.equal('updated');
    const [eth0, eth1] = both.node.spec.interfaces ?? [];
    expect(eth0?.addresses).to.include.members(['192.0.2.1', '2001:db8::1']);
    expect(eth1).to.deep.equal({ name: 'eth1', addresses: ['198.51.100.1'] });
  });

  it('says which address it could not find, and does the rest', async () => {
    const made = unwrap(await makeNode('n1', wishes({ method: 'cidr=203.0.113.0/24' }), client, netlink));
    expect(made.problems.map(({ code, field }) => `${code} ${field ?? ''}`)).to.deep.equal([
      'NODE_ADDRESS_NOT_FOUND spec.bgp.ipv4Address',
    ]);
    expect(made.node.spec.bgp).to.deep.equal({ ipv6Address: '2001:db8::1/64' });
  });

  it('refuses an address that another Node has', async () => {
    unwrap(await makeNode('n1', wishes({ ip: '192.0.2.1' }), client, netlink));
    const second = await makeNode('n2', wishes({ ip: '192.0.2.1', ip6: 'none' }), client, netlink);
    expect(second.ok ? [] : second.problems.map(({ code }) => code)).to.deep.equal(['NODE_ADDRESS_DOUBLE']);
  });

  it('has the addresses of its tunnels from IPAM, under the handles of Calico, for as long as pools need them', async () => {
    unwrap(await makeNode('n1', wishes(), client, netlink));
    const clock = new SimulatedClock();
    const ipam = new Ipam(store, new SystemClock(), Math.random);
    const tunnels = new TunnelAddresses({ node: 'n1', client, ipam, clock });
    const read = async () => unwrap(await client.get('Node', 'n1')).spec;
    const reconcile = async (...pools: IPPool[]): Promise<void> => {
      for (const each of pools) unwrap(await client.apply(each));
      expect(await tunnels.reconcile(pools)).to.deep.equal([]);
    };
    const v6 = pool('v6', 'fd00:10:244::/48', { vxlanMode: 'Always' });
    await reconcile(pool('v4', '10.244.0.0/16', { ipipMode: 'CrossSubnet' }), v6);
    const ipip = (await read()).bgp?.ipv4IPIPTunnelAddr ?? expect.fail('no address');
    const holders = (await ipam.blocks()).flatMap(({ allocations }) => allocations);
    expect(holders.map(({ handle }) => handle)).to.have.members([
      'ipip-tunnel-addr-n1',
      'vxlan-v6-tunnel-addr-n1',
    ]);
    expect((await read()).ipv6VXLANTunnelAddr).to.match(/^fd00:10:244:/);
    const { resourceVersion } = unwrap(await client.get('Node', 'n1')).metadata;
    await reconcile(pool('v4', '10.244.0.0/16', { ipipMode: 'Always' }), v6);
    expect(unwrap(await client.get('Node', 'n1')).metadata.resourceVersion).to.equal(resourceVersion);

    const vxlan = pool('v4', '10.244.0.0/16', { vxlanMode: 'Always' });
    await reconcile(vxlan, v6);
    expect((await read()).ipv4VXLANTunnelAddr).to.match(/^10\.244\./);
    expect((await read()).bgp?.ipv4IPIPTunnelAddr, 'others may still send there').to.equal(ipip);
    clock.advance(60_000);
    await reconcile(vxlan, v6);
    expect((await read()).bgp).to.not.have.property('ipv4IPIPTunnelAddr');
    expect((await ipam.blocks()).flatMap(({ allocations }) => allocations)).to.have.lengthOf(2);
  });

  it('has addresses for WireGuard from any pool, once it has published its keys, and gives them back', async () => {
    unwrap(await makeNode('n1', wishes(), client, netlink));
    const clock = new SimulatedClock();
    const ipam = new Ipam(store, new SystemClock(), Math.random);
    const tunnels = new TunnelAddresses({ node: 'n1', client, ipam, clock });
    const read = async () => unwrap(await client.get('Node', 'n1')).spec.wireguard ?? {};
    const pools = [pool('v4', '10.244.0.0/16', {}), pool('v6', 'fd00:10:244::/48', {})];
    for (const each of pools) unwrap(await client.apply(each));
    const felix = { wireguardEnabled: true, wireguardEnabledV6: true };
    expect(await tunnels.reconcile(pools, felix)).to.deep.equal([]);
    expect(await read()).to.deep.equal({});

    const key = Buffer.alloc(32, 1).toString('base64');
    const status = { wireguardPublicKey: key, wireguardPublicKeyV6: key };
    unwrap(await client.update({ ...unwrap(await client.get('Node', 'n1')), status }));
    expect(await tunnels.reconcile(pools, felix)).to.deep.equal([]);
    expect((await read()).interfaceIPv4Address).to.match(/^10\.244\./);
    expect((await read()).interfaceIPv6Address).to.match(/^fd00:10:244:/);
    const holders = (await ipam.blocks()).flatMap(({ allocations }) => allocations);
    expect(holders.map(({ handle }) => handle)).to.have.members([
      'wireguard-tunnel-addr-n1',
      'wireguard-v6-tunnel-addr-n1',
    ]);
    await tunnels.reconcile(pools, {});
    clock.advance(60_000);
    await tunnels.reconcile(pools, {});
    expect(unwrap(await client.get('Node', 'n1'))).to.not.have.nested.property('spec.wireguard');
    expect((await ipam.blocks()).flatMap(({ allocations }) => allocations)).to.deep.equal([]);
  });
});
