/**
 * felix-lite in nf_tables among others: a restart changes nothing, what a stranger edits comes back at once and not with
 * the next look, other tables stay, and a change of backend removes the old one's work once the new one's stands.
 */
import { expect } from 'chai';
import { ipset, iptables, Nftables } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { isOurSet } from '../../felix-lite/rules/names.ts';
import { NODE, TestNode, addressesOf, endpointOf, openProfile, WEB, DB, np, dbFromWeb } from './node.ts';

const FAMILIES = ['ip', 'ip6'] as const;

const DB_FROM_WEB = dbFromWeb(8080, '9000:9010');

/** The refresh is far away: what is repaired here was told of by the kernel. */
function configured(spec: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'FelixConfiguration',
    metadata: { name: `node.${NODE}` },
    spec: { iptablesRefreshInterval: '1h', ...spec },
  };
}

const NFTABLES = configured({ nftablesMode: 'Enabled' });
const IPTABLES = configured({ nftablesMode: 'Disabled', iptablesBackend: 'NFT' });

async function until(what: string, isSo: () => Promise<boolean>, patienceMs = 60_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function trusted(nets: readonly string[]): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkSet',
    metadata: { name: 'nets', namespace: 'prod', labels: { trusted: 'yes' } },
    spec: { nets },
  };
}

describeOnKernel('felix-lite among others, nftables', function () {
  this.timeout(180_000);
  let node: TestNode;

  /** All that the kernel holds of ours, without what changes by itself: counters, handles and the order of sets. */
  const kernel = async (): Promise<object> => {
    using nft = Nftables.open({ netns: node.netns });
    const held: object[] = [];
    for (const family of FAMILIES) {
      const table = { family, name: 'calico' } as const;
      const sets = (await nft.listSets(table)).map(({ name }) => name).toSorted();
      const elements = await Promise.all(sets.map((set) => nft.listElements(table, set)));
      const rules = (await nft.listRules(table)).map(({ chain, comment, expressions }) =>
        JSON.stringify([chain, comment, expressions.filter(({ kind }) => kind !== 'counter')]),
      );
      const chains = (await nft.listChains(table))
        .map(({ name, base }) => JSON.stringify([name, base]))
        .toSorted();
      held.push({ sets, elements, chains, rules: rules.toSorted() });
    }
    return held;
  };
  const nft = (text: string): Promise<string> => node.run('nft', text);
  const reaches = (from: string, version: 4 | 6, port: number, hoped: boolean): Promise<boolean> =>
    node.prober(from).reach('tcp', addressesOf(2)[version], port, hoped);

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.put(NFTABLES, openProfile('prod'), endpointOf(WEB), endpointOf(DB), DB_FROM_WEB);
  });
  afterEach(() => node.remove());

  it('allows and denies as policy says, in both families, and uses neither iptables nor ipset', async () => {
    await node.startFelix();
    for (const version of [4, 6] as const) {
      expect(await reaches('web', version, 8080, true)).to.equal(true);
      expect(await reaches('outside', version, 8080, false)).to.equal(false);
    }
    expect(await reaches('web', 4, 9090, false)).to.equal(false);
    expect(await ipset.listNames({ netns: node.netns })).to.deep.equal([]);
    for (const backend of ['nft', 'legacy'] as const) {
      const tables = await iptables.save(4, undefined, { netns: node.netns, backend });
      expect(
        tables.flatMap(({ chains }) => chains).filter(({ name }) => name.startsWith('cali')),
      ).to.deep.equal([]);
    }
  });

  it('finds its own work after a restart and changes nothing; connections go on', async () => {
    await node.startFelix();
    const before = await kernel();
    const connection = await node.prober('web').open(addressesOf(2)[6], 8080);
    await node.stopFelix();
    await node.startFelix();
    expect(node.felix.status().lastPass?.steps).to.equal(0);
    expect(await kernel()).to.deep.equal(before);
    expect(connection === undefined ? false : await node.prober('web').ping(connection, true)).to.equal(true);
  });

  it('takes in what changed while nobody ran', async () => {
    await node.startFelix();
    await node.stopFelix();
    await node.put(np('db', { selector: "role == 'db'", ingress: [{ action: 'Deny' }] }));
    await node.delete(endpointOf(WEB));
    await node.startFelix();
    expect(await reaches('web', 4, 8080, false)).to.equal(false);
    const text = await nft('list table ip calico');
    expect(text).to.not.include('cali10000000000');
    expect(text).to.not.include('set cali40');
  });

  it('lets a policy that nobody needs rest, takes it back as it stands, and removes it after a restart', async () => {
    const chain = 'filter-cali-pi-np/prod/db';
    using direct = Nftables.open({ netns: node.netns });
    const handles = async (): Promise<readonly bigint[]> =>
      (await direct.listRules({ family: 'ip', name: 'calico' }, chain)).map(({ handle }) => handle);
    await node.startFelix();
    const before = JSON.stringify(await kernel());
    const written = await handles();
    expect(written).to.not.deep.equal([]);
    await node.delete(endpointOf(DB), endpointOf(WEB));
    await node.settled();
    expect(await handles()).to.deep.equal(written);
    // What the set should hold has changed while it rested.
    await node.put(endpointOf({ ...WEB, labels: { role: 'other' } }), endpointOf(DB));
    await node.settled();
    expect(await handles()).to.deep.equal(written);
    expect(await reaches('web', 4, 8080, false)).to.equal(false);
    await node.put(endpointOf(WEB));
    await node.settled();
    expect(await reaches('web', 4, 8080, true)).to.equal(true);
    await node.delete(endpointOf(DB));
    await node.settled();
    expect(await handles()).to.deep.equal(written);
    // Nothing is done at a stop that would not be done after a kill, too.
    await node.stopFelix();
    expect(await handles()).to.deep.equal(written);
    await node.startFelix();
    expect(await nft('list table ip calico')).to.not.include(chain);
    await node.put(endpointOf(DB));
    await node.settled();
    expect(JSON.stringify(await kernel())).to.equal(before);
  });

  it('removes what rests once nothing has changed for a while', async () => {
    await node.startFelix();
    await node.delete(endpointOf(DB));
    await node.settled();
    const rests = async (): Promise<boolean> =>
      (await nft('list table ip6 calico')).includes('filter-cali-pi-np/prod/db');
    expect(await rests()).to.equal(true);
    await until('gone', async () => !(await rests()));
    expect(await nft('list table ip6 calico')).to.not.include('set cali60');
  });

  const vandalism = [
    {
      it: 'a rule put into a chain of ours',
      text: 'insert rule ip calico filter-cali-tw-cali20000000000 accept',
    },
    { it: 'a rule put into a hook of ours', text: 'insert rule ip calico filter-FORWARD accept' },
    { it: 'a chain emptied', text: 'flush chain ip calico filter-cali-tw-cali20000000000' },
    {
      it: 'a chain of ours that nobody asked for',
      text: 'add chain ip calico filter-cali-junk; add rule ip calico filter-cali-junk accept; add rule ip calico filter-FORWARD jump filter-cali-junk',
    },
    {
      it: 'an entry taken out of a map',
      text: 'delete element ip calico filter-cali-tw-dispatch { "cali20000000000" }',
    },
    {
      it: 'a set that nobody asked for',
      text: 'add set ip calico cali40s-junk { type ipv4_addr; flags interval; }',
    },
    {
      it: 'a hook of ours at another place',
      text: 'delete chain ip calico raw-PREROUTING; add chain ip calico raw-PREROUTING { type filter hook prerouting priority 5; }',
    },
    {
      it: 'a hook of ours told to drop what no rule decides',
      text: 'add chain ip calico raw-PREROUTING { policy drop; }',
    },
    { it: 'the table deleted', text: 'delete table ip calico' },
  ];
  for (const { it: what, text } of vandalism)
    it(`repairs ${what}, at once`, async () => {
      await node.startFelix();
      const before = JSON.stringify(await kernel());
      // The repair may be quicker than our look at the damage: that must be seen once, not each time.
      let seen = false;
      for (let tries = 0; tries < 8 && !seen; tries++) {
        await nft(text);
        seen = JSON.stringify(await kernel()) !== before;
      }
      expect(seen, 'the damage').to.equal(true);
      await until(what, async () => JSON.stringify(await kernel()) === before);
      expect(await reaches('web', 4, 8080, true)).to.equal(true);
      expect(await reaches('outside', 4, 8080, false)).to.equal(false);
    });

  it('sees a rule that was changed under its own comment, and members put in and taken out', async () => {
    await node.startFelix();
    const before = JSON.stringify(await kernel());
    using direct = Nftables.open({ netns: node.netns });
    const table = { family: 'ip', name: 'calico' } as const;
    const rules = await direct.listRules(table, 'filter-cali-pi-np/prod/db');
    const [first] = rules;
    const set = (await direct.listSets(table)).find(({ name }) => name.startsWith('cali40s'))?.name ?? '';
    const handle = String(first?.handle ?? '');
    await nft(
      `replace rule ip calico filter-cali-pi-np/prod/db handle ${handle} accept comment "${first?.comment ?? ''}"`,
    );
    await nft(`add element ip calico ${set} { 203.0.113.1 }; delete element ip calico ${set} { 10.65.0.1 }`);
    await until('repaired', async () => JSON.stringify(await kernel()) === before);
  });

  it('leaves the tables of others alone', async () => {
    await nft(
      'add table ip kube-proxy; add chain ip kube-proxy services; add rule ip kube-proxy services counter',
    );
    const theirs = await nft('list table ip kube-proxy');
    await node.startFelix();
    await node.put(np('db', { selector: "role == 'db'", ingress: [] }));
    await node.settled();
    const { passes } = node.felix.status();
    await nft('add rule ip kube-proxy services drop');
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Their edits are none of our business: nothing was looked at again.
    expect(node.felix.status().passes).to.equal(passes);
    await nft('flush chain ip kube-proxy services; add rule ip kube-proxy services counter');
    expect(await nft('list table ip kube-proxy')).to.equal(theirs);
  });

  it('takes over from iptables when told to, and gives back, leaving nothing behind', async () => {
    await node.put(IPTABLES);
    await node.startFelix();
    const connection = await node.prober('web').open(addressesOf(2)[4], 8080);
    await node.put(NFTABLES);
    await node.settled();
    const ourChains = async (): Promise<readonly string[]> =>
      (await iptables.save(4, 'filter', { netns: node.netns, backend: 'nft' }))
        .flatMap(({ chains }) => chains)
        .map(({ name }) => name)
        .filter((name) => name.startsWith('cali'));
    const ourSets = async () => (await ipset.listNames({ netns: node.netns })).filter(isOurSet);
    expect(await ourChains()).to.deep.equal([]);
    expect(await ourSets()).to.deep.equal([]);
    expect(await nft('list tables')).to.include('table ip calico');
    expect(await reaches('outside', 4, 8080, false)).to.equal(false);
    await node.put(IPTABLES);
    await node.settled();
    expect(await nft('list tables')).to.not.include('calico');
    expect(await ourChains()).to.not.deep.equal([]);
    expect(await reaches('web', 4, 8080, true)).to.equal(true);
    expect(await reaches('outside', 4, 8080, false)).to.equal(false);
    expect(connection === undefined ? false : await node.prober('web').ping(connection, true)).to.equal(true);
  });

  it('stays with the backend that holds its rules, and starts where kube-proxy has its', async () => {
    await node.startFelix();
    await node.stopFelix();
    await node.put(configured({}));
    await node.startFelix();
    expect(node.felix.status().lastPass?.steps).to.equal(0);
    await node.stopFelix();
    await nft('delete table ip calico; delete table ip6 calico');
    await nft('add table ip kube-proxy; add chain ip kube-proxy services');
    await node.startFelix();
    expect(await nft('list tables')).to.include('table ip calico');
  });

  it('holds overlapping networks, and what is left of them', async () => {
    await node.put(
      np('db', {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', source: { selector: "trusted == 'yes'" } }],
      }),
    );
    await node.put(trusted(['10.65.0.0/16', '10.65.0.1/32', '10.65.0.0/24']));
    await node.startFelix();
    expect(await reaches('web', 4, 8080, true)).to.equal(true);
    await node.put(trusted(['10.65.0.1/32', '10.65.0.0/24']));
    await node.settled();
    expect(await reaches('web', 4, 8080, true)).to.equal(true);
    await node.put(trusted(['10.65.0.1/32']));
    await node.settled();
    expect(await reaches('web', 4, 9090, true)).to.equal(true);
    await node.put(trusted(['10.66.0.0/15']));
    await node.settled();
    expect(await reaches('web', 4, 9090, false)).to.equal(false);
  });
});
