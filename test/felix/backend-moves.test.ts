/**
 * A node whose FelixConfiguration names another backend while packets pass: the new one stands before the old one goes,
 * and nothing is let through or cut in between.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import { LONG_POLICY } from './long-policy.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile, dbFromWeb } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

const TO_DB = dbFromWeb(8080);

describeOnKernel('a node moves to another backend', function () {
  this.timeout(240_000);
  let node: TestNode;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  });
  afterEach(() => node.remove());

  const configure = (backend: BackendName): Promise<void> =>
    node.put(configurationOf({ ...BACKENDS[backend], iptablesRefreshInterval: '90s' }));

  async function move(first: BackendName, then: readonly BackendName[], policies: readonly object[]) {
    await configure(first);
    await node.put(openProfile('prod'), endpointOf(WEB), endpointOf(DB), ...policies);
    await node.startFelix();
    const connection = await node.prober('web').open(addressesOf(2)[4], 8080);
    if (connection === undefined) throw new Error('could not connect');
    const stream = await Stream.start(
      node.network,
      ([4, 6] as const).flatMap((version) => [
        node.network.flow('web', addressesOf(2)[version], 8080, true),
        node.network.flow('outside', addressesOf(2)[version], 8080, false),
      ]),
    );
    for (const backend of then) {
      await configure(backend);
      await node.settled();
    }
    expectUnbroken(await stream.stop());
    expect(await node.prober('web').ping(connection, true)).to.equal(true);
  }

  it('from every one to every other', () =>
    move(
      'iptables NFT',
      ['nftables', 'iptables Legacy', 'nftables', 'iptables NFT', 'iptables Legacy', 'iptables NFT'],
      [TO_DB],
    ));

  for (const to of ['iptables Legacy', 'iptables NFT'] as const)
    it(`from nftables, with tables that take the kernel long to remove, to ${to}`, () =>
      move('nftables', [to, 'nftables', to], [TO_DB, LONG_POLICY]));
});
