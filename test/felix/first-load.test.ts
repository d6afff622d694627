/**
 * The first load of a node's policy, ended in its middle: by `kill -9`, and by a refusal of the kernel. Wherever that hits,
 * no packet is cut that policy allows, what the kernel was given by then judges as the whole policy does or not at all, and
 * the next attempt ends as if there had been no other.
 */
import { expect } from 'chai';
import {
  ipsetLeftovers,
  iptablesLeftovers,
  Leftovers,
  nftablesLeftovers,
} from '../../felix-lite/dataplane/leftovers.ts';
import { ourTable } from '../../felix-lite/dataplane/nftables/names.ts';
import { IpsetNetlink, Nftables, run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Agent } from './agent.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import { LONG_POLICY } from './long-policy.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile, dbFromWeb } from './node.ts';
import { Stream } from './stream.ts';

const TO_DB = dbFromWeb(8080);
const VERSIONS = [4, 6] as const;
/** After the first address set of ours was there, which is the first thing that is written. */
const MOMENTS_MS = [0, 80];
/** Transactions of the kernel after which it ends: from its first one on. */
const TRANSACTIONS = [1, 3];
/** A busy machine may load before anybody has looked. */
const ATTEMPTS = 20;

describeOnKernel('a first load that ends in its middle', function () {
  this.timeout(240_000);
  let node: TestNode;
  let agent: Agent;
  let stream: Stream;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    agent = new Agent(node);
    // Packets are forwarded before felix-lite begins, too.
    await node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await node.put(openProfile('prod'), endpointOf(WEB), endpointOf(DB), TO_DB, LONG_POLICY);
    stream = await Stream.start(
      node.network,
      VERSIONS.map((version) => node.network.flow('web', addressesOf(2)[version], 8080, true)),
    );
  });
  afterEach(async () => {
    await agent.kill('SIGKILL');
    await node.remove();
  });

  async function expectNothingCut(): Promise<void> {
    const { passed, cut } = await stream.stop();
    expect(cut).to.deep.equal([]);
    expect(passed).to.be.greaterThan(100);
  }

  async function expectPolicy(version: 4 | 6): Promise<void> {
    const address = addressesOf(2)[version];
    expect(await node.prober('outside').reach('tcp', address, 8080, false), `IPv${version}`).to.equal(false);
    expect(await node.prober('web').reach('tcp', address, 8080, true), `IPv${version}`).to.equal(true);
  }

  /** As on a node that has just started. */
  const wipe = (): Promise<void> =>
    new Leftovers(
      [
        ...iptablesLeftovers('nft', node.netns, VERSIONS),
        ...iptablesLeftovers('legacy', node.netns, VERSIONS),
        ...nftablesLeftovers(node.netns, VERSIONS),
      ],
      [ipsetLeftovers(node.netns)],
    ).clear();

  async function startAnew(): Promise<void> {
    agent.start();
    await agent.ready();
    for (const version of VERSIONS) await expectPolicy(version);
    await agent.kill('SIGTERM');
    await wipe();
  }

  it('by kill -9 after some of its transactions, nftables', async () => {
    await node.put(configurationOf(BACKENDS.nftables));
    using nft = Nftables.open({ netns: node.netns });
    let inTheMiddle = 0;
    for (const count of TRANSACTIONS) {
      const last = (await nft.generation()) + count;
      agent.start();
      const isReady = { yes: false };
      const ready = agent.ready().then(
        () => void (isReady.yes = true),
        () => undefined,
      );
      while (!isReady.yes && (await nft.generation()) < last) await turn();
      if (!isReady.yes) inTheMiddle++;
      await agent.kill('SIGKILL');
      for (const version of VERSIONS) {
        const chains = await nft.listChains(ourTable(version)).catch(() => []);
        if (chains.some(({ base }) => base !== undefined)) await expectPolicy(version);
      }
      await startAnew();
      await ready;
    }
    expect(inTheMiddle).to.be.greaterThan(0);
    await expectNothingCut();
  });

  for (const backend of ['iptables NFT', 'iptables Legacy'] as const)
    it(`by kill -9 at some moments, ${backend}`, async () => {
      await node.put(configurationOf(BACKENDS[backend]));
      using ipset = IpsetNetlink.open({ netns: node.netns });
      for (const moment of MOMENTS_MS) {
        agent.start();
        while ((await ipset.headers()).length === 0) await turn();
        await new Promise((resolve) => setTimeout(resolve, moment));
        await agent.kill('SIGKILL');
        for (const version of VERSIONS) if (await isHooked(backend, version)) await expectPolicy(version);
        await startAnew();
      }
      await expectNothingCut();
    });

  async function isHooked(backend: BackendName, version: 4 | 6): Promise<boolean> {
    const kind = backend === 'iptables NFT' ? 'nft' : 'legacy';
    const saved = await node.run(`ip${version === 4 ? '' : '6'}tables-${kind}-save`, '-t', 'filter');
    return /^-A FORWARD .*-j cali-FORWARD/m.test(saved);
  }

  it('by a refusal of the kernel, since somebody has put a chain where one of ours belongs, nftables', async () => {
    await node.put(configurationOf(BACKENDS.nftables));
    using nft = Nftables.open({ netns: node.netns });
    let isTaken = false;
    for (let attempt = 0; attempt < ATTEMPTS && !isTaken; attempt++) {
      if (attempt > 0) {
        await agent.ready();
        await agent.kill('SIGTERM');
        await wipe();
      }
      const before = await nft.generation();
      agent.start();
      while ((await nft.generation()) === before) await turn();
      isTaken = await takesPlace(nft);
    }
    expect(isTaken).to.equal(true);
    await agent.ready();
    for (const version of VERSIONS) await expectPolicy(version);
    const chains = await nft.listChains(ourTable(6));
    expect(chains.find(({ name }) => name === 'filter-FORWARD')?.base).to.deep.include({ priority: 0 });
    await expectNothingCut();
  });

  it('sees what a stranger makes of a rule under its own comment before it has read back what it wrote, iptables Legacy', async () => {
    // Read back after a second; should the edit come later than that, the next look finds it.
    await node.put(configurationOf({ ...BACKENDS['iptables Legacy'], iptablesRefreshInterval: '10s' }));
    agent.start();
    await agent.ready();
    const save = (): Promise<string> => node.run('iptables-legacy-save', '-t', 'filter');
    const rule = /^-A (?<chain>cali-pi-\S+) (?<rest>.*-p tcp.* 8080 .*)$/m.exec(await save())?.groups;
    if (rule?.chain === undefined || rule.rest === undefined) throw new Error('no such rule');
    const { chain, rest } = rule;
    const edited = `-R ${chain} 1 ${rest.replace(' 8080 ', ' 8081 ')}`;
    await run('iptables-legacy-restore', ['--noflush', '--wait', '30'], {
      netns: node.netns,
      stdin: `*filter\n${edited}\nCOMMIT\n`,
    });
    const deadline = performance.now() + 60_000;
    while (!(await save()).includes(`-A ${chain} ${rest}`)) {
      if (performance.now() > deadline) throw new Error(await save());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await agent.ready();
    for (const version of VERSIONS) await expectPolicy(version);
    await stream.stop();
  });
});

/** Whether ours was not there yet. */
async function takesPlace(nft: Nftables): Promise<boolean> {
  const base = { type: 'filter', hook: 'forward', priority: 7 } as const;
  const chain = { name: 'filter-FORWARD', base };
  return nft.commit([{ op: 'add-chain', table: ourTable(6), chain }]).then(
    () => true,
    () => false,
  );
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
