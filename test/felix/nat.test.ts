/**
 * Addresses that change on the way, with connections, on every backend: natOutgoing as FelixConfiguration has it, and
 * floating IPs. Who is connected to says whom he sees.
 */
import { type Server, Socket, createServer } from 'node:net';
import { expect } from 'chai';
import { inNamespace } from '../../net/kernel/index.ts';
import { tcpSocket } from '../../net/kernel/raw-socket.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import { HOST, UPLINK } from './network.ts';
import { DB, OUTSIDE, TestNode, WEB, addressesOf, endpointOf, interfaceOf, openProfile } from './node.ts';

const PATIENCE_MS = 60_000;
const PORT = 7070;
/** A second address of the node's uplink. */
const OTHER = '198.51.100.7';
/** A service that is told of by BGP, and not there. */
const UNANSWERED = '10.96.0.9';
const FLOATING = { 4: '203.0.113.5', 6: 'fd03::5' } as const;
const VERSIONS = [4, 6] as const;

const pool = (name: string, cidr: string, blockSize: number): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, blockSize, natOutgoing: true },
});

function floatingWeb(): object {
  const endpoint = endpointOf(WEB) as { spec: object };
  const own = addressesOf(WEB.index);
  const ipNATs = VERSIONS.map((version) => ({ internalIP: own[version], externalIP: FLOATING[version] }));
  return { ...endpoint, spec: { ...endpoint.spec, ipNATs } };
}

describeOnKernel('addresses that change on the way', function () {
  this.timeout(5 * PATIENCE_MS);
  let node: TestNode;
  const servers: Server[] = [];

  before(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.run('ip', 'address', 'add', `${OTHER}/24`, 'dev', 'up0');
    // As felix-lite routes them; the node itself needs a way before its packets are looked at.
    for (const address of Object.values(FLOATING))
      await node.run('ip', 'route', 'add', address, 'dev', interfaceOf(WEB.index));
    await node.run('ip', 'route', 'add', 'default', 'via', OUTSIDE[4]);
    await node.put(
      {
        apiVersion: 'projectcalico.org/v3',
        kind: 'BGPConfiguration',
        metadata: { name: 'default' },
        spec: { serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] },
      },
      pool('v4', '10.65.0.0/16', 26),
      pool('v6', 'fd65::/64', 122),
      openProfile('prod'),
      endpointOf(DB),
      endpointOf(WEB),
    );
    for (const name of ['outside', WEB.name, DB.name]) {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
        socket.end(`${name} ${address} ${socket.remotePort ?? 0}`);
      });
      inNamespace(node.network.netnsOf(name), () => server.listen(PORT));
      servers.push(server);
    }
  });

  after(async () => {
    for (const server of servers) server.close();
    await node.remove();
  });

  /** Who answers at the address, and whom he sees. */
  async function ask(from: string, to: string): Promise<{ who: string; sees: string; port: number }> {
    const socket = new Socket({ fd: tcpSocket(node.network.netnsOf(from), to.includes(':') ? 6 : 4) });
    const text = await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve('silence'), PATIENCE_MS);
      let heard = '';
      socket.setEncoding('utf8').on('data', (part: string) => (heard += part));
      socket.on('error', (error) => (heard = error.message));
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(heard);
      });
      socket.connect({ host: to, port: PORT });
    });
    socket.destroy();
    const [who = '', sees = '', port = ''] = text.split(' ');
    return { who, sees, port: Number(port) };
  }

  async function configure(backend: BackendName, spec: object): Promise<void> {
    await node.put(configurationOf({ ...BACKENDS[backend], ...spec }));
    await node.settled();
  }

  for (const backend of Object.keys(BACKENDS) as BackendName[])
    describe(backend, () => {
      before(async () => {
        await node.put(configurationOf(BACKENDS[backend]), endpointOf(WEB));
        await node.startFelix();
      });
      after(() => node.stopFelix());

      it('are those of the node for what leaves all pools, and their own inside', async () => {
        for (const version of VERSIONS) {
          expect(await ask(WEB.name, OUTSIDE[version])).to.include({ who: 'outside', sees: UPLINK[version] });
          const own = addressesOf(WEB.index)[version];
          expect(await ask(WEB.name, addressesOf(DB.index)[version])).to.include({ who: DB.name, sees: own });
        }
      });

      it('are natOutgoingAddress, with ports of natPortRange', async () => {
        await configure(backend, { natOutgoingAddress: OTHER, natPortRange: '30000:30009' });
        const seen = await ask(WEB.name, OUTSIDE[4]);
        expect(seen).to.include({ who: 'outside', sees: OTHER });
        expect(seen.port).to.be.within(30_000, 30_009);

        const six = await ask(WEB.name, OUTSIDE[6]);
        expect(six).to.include({ who: 'outside', sees: UPLINK[6] });
        expect(six.port).to.be.within(30_000, 30_009);
      });

      it('stay where packets leave by other interfaces than iptablesNATOutgoingInterfaceFilter says', async () => {
        await configure(backend, { iptablesNATOutgoingInterfaceFilter: 'wan+' });
        for (const version of VERSIONS)
          expect(await ask(WEB.name, OUTSIDE[version])).to.include({ sees: addressesOf(WEB.index)[version] });
        await configure(backend, { iptablesNATOutgoingInterfaceFilter: 'up+' });
        expect(await ask(WEB.name, OUTSIDE[4])).to.include({ sees: UPLINK[4] });
      });

      it('of services that nobody answers for lead nowhere', async () => {
        await configure(backend, { serviceLoopPrevention: 'Reject' });
        // An error has its name in that place. From behind a router they would go back there.
        expect((await ask(WEB.name, UNANSWERED)).sees).to.equal('ECONNREFUSED');
        await configure(backend, {});
        expect(await kernel()).to.match(/cali-cidr-block(?:.*\n)?.*10\.96\.0\.0\/12.*drop/i);
        await configure(backend, { serviceLoopPrevention: 'Disabled' });
        expect(await kernel()).not.to.contain('cali-cidr-block');
      });

      it('lead by a floating IP to its workload, from everywhere, itself included', async () => {
        await configure(backend, { floatingIPs: 'Enabled' });
        await node.put(floatingWeb());
        await node.settled();
        for (const version of VERSIONS) {
          const floating = FLOATING[version];
          const own = addressesOf(WEB.index)[version];
          expect(await ask('outside', floating)).to.include({ who: WEB.name, sees: OUTSIDE[version] });
          expect(await ask(DB.name, floating)).to.include({
            who: WEB.name,
            sees: addressesOf(DB.index)[version],
          });
          expect(await ask(HOST, floating)).to.include({ who: WEB.name });
          expect(await ask(WEB.name, floating)).to.include({ who: WEB.name, sees: floating });
          // What it begins itself goes as before.
          expect(await ask(WEB.name, addressesOf(DB.index)[version])).to.include({ sees: own });
        }
        await node.put(endpointOf(WEB));
        await node.settled();
        expect(await kernel()).not.to.contain(FLOATING[4]);
      });
    });

  async function kernel(): Promise<string> {
    const texts = await Promise.all(
      [['iptables-nft-save'], ['iptables-legacy-save'], ['nft', 'list', 'ruleset']].map(
        ([program = '', ...args]) => node.run(program, ...args).catch(() => ''),
      ),
    );
    return texts.join('\n');
  }
});
