/**
 * felix-lite and a kernel that others use too: their rules stay, ours come back, a restart changes nothing,
 * what a predecessor left is taken over or removed, and what the kernel refuses stays a matter of one policy.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ipset, iptables, Nftables, run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { isOurSet } from '../../felix-lite/rules/names.ts';
import {
  NODE,
  TestNode,
  type Workload,
  addressesOf,
  endpointOf,
  openProfile,
  WEB,
  DB,
  np,
  dbFromWeb,
} from './node.ts';

const DB_FROM_WEB = dbFromWeb(8080);

function configured(backend: string, spec: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'FelixConfiguration',
    metadata: { name: `node.${NODE}` },
    spec: { iptablesBackend: backend, iptablesRefreshInterval: '0s', ...spec },
  };
}

for (const backend of ['NFT', 'Legacy'] as const) {
  describeOnKernel(`felix-lite among others, iptables ${backend}`, function () {
    this.timeout(180_000);
    let node: TestNode;
    const options = () => ({ netns: node.netns, backend: backend === 'NFT' ? 'nft' : 'legacy' }) as const;
    /** Everything that the kernel holds, in words that do not change by themselves. */
    const kernel = async (): Promise<object> => ({
      v4: await iptables.save(4, undefined, options()),
      v6: await iptables.save(6, undefined, options()),
      sets: (await ipset.save(undefined, options()))
        .map(({ name, type, members }) => ({ name, type, members: members.toSorted() }))
        .toSorted((a, b) => a.name.localeCompare(b.name)),
    });
    const filter = async (version: 4 | 6 = 4) =>
      new Map(
        (await iptables.save(version, 'filter', options()))[0]?.chains.map((chain) => [
          chain.name,
          chain.rules,
        ]),
      );
    const restore = (text: string, version: 4 | 6 = 4) => iptables.restore(version, text, options());
    const file = (workload: Workload): string =>
      join(node.runDir, 'endpoint-status', encodeURIComponent(`prod/${endpointOf(workload).metadata.name}`));

    beforeEach(async () => {
      node = await TestNode.create([WEB, DB]);
      await node.put(
        configured(backend, {}),
        openProfile('prod'),
        endpointOf(WEB),
        endpointOf(DB),
        DB_FROM_WEB,
      );
    });
    afterEach(() => node.remove());

    /** As the refresh timer would, without waiting for it. */
    const repair = async (): Promise<void> => {
      await node.put(configured(backend, { iptablesRefreshInterval: '50ms' }));
      await node.settled();
      const { passes } = node.felix.status();
      while (node.felix.status().passes < passes + 2) await new Promise((resolve) => setTimeout(resolve, 20));
    };

    it('finds its own work after a restart and changes nothing; connections go on', async () => {
      await node.startFelix();
      const before = await kernel();
      const connection = await node.prober('web').open(addressesOf(2)[6], 8080);
      await node.stopFelix();
      expect(await kernel()).to.deep.equal(before);
      await node.startFelix();
      expect(node.felix.status().lastPass?.steps).to.equal(0);
      expect(await kernel()).to.deep.equal(before);
      expect(connection === undefined ? false : await node.prober('web').ping(connection, true)).to.equal(
        true,
      );
    });

    it('takes in what changed while nobody ran', async () => {
      await node.startFelix();
      await node.stopFelix();
      await node.put(np('db', { selector: "role == 'db'", ingress: [{ action: 'Deny' }] }));
      await node.delete(endpointOf(WEB));
      await node.startFelix();
      expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
      expect((await filter()).has('cali-tw-cali10000000000')).to.equal(false);
      const sets = (await ipset.save(undefined, options())).filter(({ name }) => isOurSet(name));
      expect(sets).to.deep.equal([]);
    });

    it('leaves the rules, chains and sets of others alone, and stays before them', async () => {
      await ipset.restore('create theirs hash:net\nadd theirs 192.0.2.0/24\n', options());
      const theirs =
        '*filter\n:THEIRS - [0:0]\n:cali - [0:0]\n-A THEIRS -m set --match-set theirs src -j DROP\n-A cali -j ACCEPT\n-A FORWARD -i eth9 -j THEIRS\n-A INPUT -p tcp -m tcp --dport 9 -j DROP\nCOMMIT\n';
      await restore(theirs);
      await node.startFelix();
      await restore('*filter\n-I FORWARD 1 -i eth8 -j THEIRS\n-A FORWARD -i eth7 -j DROP\nCOMMIT\n');
      await repair();
      const chains = await filter();
      expect(chains.get('THEIRS')).to.deep.equal(['-m set --match-set theirs src -j DROP']);
      expect(chains.get('cali')).to.deep.equal(['-j ACCEPT']);
      const forward = chains.get('FORWARD') ?? [];
      expect(forward[0]).to.match(/-j cali-FORWARD$/);
      expect(forward.filter((rule) => !rule.includes('cali:'))).to.deep.equal([
        '-i eth8 -j THEIRS',
        '-i eth9 -j THEIRS',
        '-i eth7 -j DROP',
      ]);
      expect(forward.filter((rule) => rule.includes('cali-FORWARD'))).to.have.length(1);
      await node.delete(DB_FROM_WEB, endpointOf(WEB), endpointOf(DB));
      await node.settled();
      expect((await ipset.save('theirs', options()))[0]?.members).to.deep.equal(['192.0.2.0/24']);
    });

    const vandalism = [
      { it: 'a rule put into a chain of ours', text: '-I cali-tw-cali20000000000 1 -j ACCEPT' },
      { it: 'a rule put at the end of a chain of ours', text: '-A cali-FORWARD -j ACCEPT' },
      { it: 'a rule taken out', text: '-D cali-tw-cali20000000000 2' },
      { it: 'a chain emptied', text: '-F cali-tw-cali20000000000' },
      { it: 'the jump taken out of FORWARD', text: '-D FORWARD 1' },
      { it: 'a chain of ours that nobody asked for', text: ':cali-junk - [0:0]\n-A cali-junk -j ACCEPT' },
    ];
    for (const { it: what, text } of vandalism) {
      it(`repairs ${what}`, async () => {
        await node.startFelix();
        const before = await kernel();
        for (const version of [4, 6] as const) await restore(`*filter\n${text}\nCOMMIT\n`, version);
        // Where the kernel tells of edits, the repair may have come first.
        if (backend === 'Legacy') expect(await kernel()).to.not.deep.equal(before);
        await repair();
        expect(await kernel()).to.deep.equal(before);
      });
    }

    it('sees a rule that was changed under its own comment', async () => {
      await node.startFelix();
      const before = await kernel();
      const [chain = '', rules = []] =
        [...(await filter())].find(([name]) => name.startsWith('cali-pi-')) ?? [];
      const changed = (rules[0] ?? '').replace('--dports 8080', '--dports 9090');
      expect(changed).to.not.equal(rules[0]);
      await restore(`*filter\n-R ${chain} 1 ${changed}\nCOMMIT\n`);
      await repair();
      expect(await kernel()).to.deep.equal(before);
    });

    it('sees it even where a predecessor wrote the rule', async () => {
      await node.startFelix();
      const before = await kernel();
      await node.stopFelix();
      await restore(
        '*filter\n-R FORWARD 1 -i eth9 -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD\nCOMMIT\n',
      );
      await node.startFelix();
      expect(await kernel()).to.deep.equal(before);
    });

    it('repairs sets: members put in and taken out, a set of another make, a set of ours that is not needed', async () => {
      await node.startFelix();
      const before = await kernel();
      const [set] = (await ipset.save(undefined, options())).filter(({ name }) => name.startsWith('cali40'));
      if (set === undefined) throw new Error('there should be a set');
      await ipset.restore(
        `add ${set.name} 203.0.113.9\ndel ${set.name} ${set.members[0] ?? ''}\ncreate cali40s:unknown hash:net\ncreate cali4t0 hash:net\n`,
        options(),
      );
      await repair();
      expect(await kernel()).to.deep.equal(before);
      expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
    });

    it('keeps a chain that others jump to, emptied, and goes on', async () => {
      await node.startFelix();
      await restore('*filter\n:THEIRS - [0:0]\n-A THEIRS -j cali-tw-cali20000000000\nCOMMIT\n');
      await node.delete(endpointOf(DB));
      await node.settled();
      const chains = await filter();
      expect(chains.get('THEIRS')).to.deep.equal(['-j cali-tw-cali20000000000']);
      expect(chains.get('cali-tw-cali20000000000')).to.deep.equal([]);
    });

    it('keeps a set that others look into, says so, and removes it when they are done', async () => {
      await node.startFelix();
      const [set] = (await ipset.save(undefined, options())).filter(({ name }) => name.startsWith('cali40'));
      await restore(
        `*filter\n:THEIRS - [0:0]\n-A THEIRS -m set --match-set ${set?.name ?? ''} src -j DROP\nCOMMIT\n`,
      );
      await node.delete(DB_FROM_WEB);
      await node.settled();
      expect(node.felix.status().problems.map(({ code }) => code)).to.deep.equal(['SET_IN_USE']);
      await restore('*filter\n-F THEIRS\nCOMMIT\n');
      await repair();
      expect(node.felix.status().problems).to.deep.equal([]);
      expect((await ipset.save(undefined, options())).filter(({ name }) => isOurSet(name))).to.deep.equal([]);
    });

    it('takes over from Calico: its jump stays, its leftovers in every table go', async () => {
      const jump = '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD';
      await restore(
        `*filter\n:cali-FORWARD - [0:0]\n:cali-OUTPUT - [0:0]\n:cali-forward-check - [0:0]\n${jump}\n-A OUTPUT -m comment --comment "cali:tVnHkvAo15HuiPy0" -j cali-OUTPUT\nCOMMIT\n*nat\n:cali-POSTROUTING - [0:0]\n-A POSTROUTING -m comment --comment "cali:O3lYWMrLQYEMJtB5" -j cali-POSTROUTING\n-A POSTROUTING -o eth9 -j MASQUERADE\nCOMMIT\n`,
      );
      await node.startFelix();
      const chains = await filter();
      expect(`-A FORWARD ${chains.get('FORWARD')?.[0] ?? ''}`).to.equal(jump);
      expect(chains.get('OUTPUT')).to.deep.equal([
        '-m comment --comment "cali:tVnHkvAo15HuiPy0" -j cali-OUTPUT',
      ]);
      expect(chains.has('cali-forward-check')).to.equal(false);
      const [nat] = await iptables.save(4, 'nat', options());
      expect(nat?.chains.flatMap(({ rules }) => rules)).to.deep.equal(['-o eth9 -j MASQUERADE']);
      expect(nat?.chains.some(({ name }) => name.startsWith('cali'))).to.equal(false);
    });

    /** What names each rule in nf_tables, for as long as it is not written anew. */
    const handles = async (): Promise<readonly string[]> => {
      if (backend === 'Legacy') return [];
      using nft = Nftables.open({ netns: node.netns });
      const lists = await Promise.all(
        (['ip', 'ip6'] as const).flatMap((family) =>
          ['raw', 'mangle', 'filter'].map((name) => nft.listRules({ family, name })),
        ),
      );
      return lists.map((list) => list.map(({ chain, handle }) => `${chain} ${handle}`).join());
    };

    it('takes over what Calico would have written as it is: no rule anew, counters go on, sets stay', async () => {
      await node.startFelix();
      await node.stopFelix();
      const before = await kernel();
      const which = backend === 'NFT' ? 'nft' : 'legacy';
      const { netns } = node;
      const sets = await ipset.save(undefined, options());
      for (const version of [4, 6] as const) {
        const tool = `${version === 4 ? 'iptables' : 'ip6tables'}-${which}`;
        const { stdout } = await run(`${tool}-save`, ['-c'], { netns });
        // All goes; then it comes as a predecessor would have left it that has been at work for a while.
        const empty = stdout.replaceAll(/^(?:\[.*|:cali-.*)\n/gm, '');
        await run(`${tool}-restore`, [], { netns, stdin: empty });
        for (const { name } of sets.filter(
          (each) => each.options.family === (version === 4 ? 'inet' : 'inet6'),
        ))
          await ipset.restore([{ op: 'destroy', name }], options());
        for (const {
          name,
          type,
          options: { family },
          members,
        } of sets)
          if (family === (version === 4 ? 'inet' : 'inet6'))
            await ipset.restore(
              [
                `create ${name} ${type} family ${family} maxelem 1048576\n`,
                ...members.map((member) => `add ${name} ${member}\n`),
              ].join(''),
              options(),
            );
        const worked = stdout.replaceAll(/^\[\d+:\d+\]/gm, '[7000000:777000000]');
        await run(`${tool}-restore`, ['-c'], { netns, stdin: worked });
      }
      expect(await kernel()).to.deep.equal(before);
      const rules = await handles();
      /** Those of ip6tables-nft-restore 1.8.9 begin at 0, whatever it is told; there the handles must do. */
      const counted = async (): Promise<boolean> => {
        const versions = backend === 'NFT' ? ([4] as const) : ([4, 6] as const);
        const counters = await Promise.all(
          versions.flatMap((version) =>
            ['raw', 'mangle', 'filter'].map((table) => iptables.counters(version, table, options())),
          ),
        );
        return counters.flat().every(({ packets }) => packets >= 7_000_000n);
      };
      expect(await counted()).to.equal(true);
      await node.startFelix();
      expect(node.felix.status().lastPass?.steps).to.equal(0);
      expect(await kernel()).to.deep.equal(before);
      expect(await counted()).to.equal(true);
      expect(await handles()).to.deep.equal(rules);
    });

    it('says that an endpoint is up once the kernel has its policy, and takes it back', async () => {
      writeFileSync(join(node.runDir, 'unrelated'), '');
      await node.startFelix();
      const entry = await node.store.get({
        kind: 'WorkloadEndpoint',
        scope: 'prod',
        name: endpointOf(DB).metadata.name,
      });
      expect(JSON.parse(readFileSync(file(DB), 'utf8'))).to.deep.equal({
        status: 'up',
        interface: 'cali20000000000',
        revision: entry?.revision,
      });
      await node.delete(endpointOf(DB));
      await node.settled();
      expect(existsSync(file(DB))).to.equal(false);
      expect(readdirSync(join(node.runDir, 'endpoint-status'))).to.have.length(1);
    });

    it('isolates what the door should not have let in: that policy denies, all others work', async () => {
      await node.startFelix();
      const broken = np('broken', { selector: "role == 'db'", order: 1, ingress: [{ action: 'Perhaps' }] });
      await node.store.commit([
        {
          type: 'put',
          key: { kind: 'NetworkPolicy', scope: 'prod', name: 'broken' },
          value: broken,
          expect: 'any',
        },
      ]);
      await node.settled();
      expect(node.felix.status().problems.map(({ resource }) => resource)).to.deep.equal([
        'NetworkPolicy/prod/broken',
      ]);
      expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
      expect(await node.prober('db').reach('tcp', addressesOf(1)[4], 8080, false)).to.equal(false);
      expect(await node.prober('outside').reach('tcp', addressesOf(1)[4], 8080, true)).to.equal(true);
    });

    it('moves to the other iptables when told to, and leaves nothing behind', async () => {
      await node.startFelix();
      const other = backend === 'NFT' ? 'Legacy' : 'NFT';
      await node.put(configured(other, {}));
      await node.settled();
      const names = async (which: 'nft' | 'legacy'): Promise<readonly string[]> =>
        (await iptables.save(4, undefined, { netns: node.netns, backend: which })).flatMap(({ chains }) =>
          chains.map(({ name }) => name).filter((name) => name.startsWith('cali-')),
        );
      expect(await names(backend === 'NFT' ? 'nft' : 'legacy')).to.deep.equal([]);
      expect(await names(backend === 'NFT' ? 'legacy' : 'nft')).to.include('cali-tw-cali20000000000');
      expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
      expect(await node.prober('outside').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
    });

    it('stays with the iptables that holds its rules', async () => {
      await node.startFelix();
      await node.stopFelix();
      const before = await kernel();
      await node.put(configured('Auto', {}));
      await node.startFelix();
      expect(await kernel()).to.deep.equal(before);
    });

    it('makes the node a router', async () => {
      await node.startFelix();
      expect((await node.run('cat', '/proc/sys/net/ipv4/ip_forward')).trim()).to.equal('1');
      expect((await node.run('cat', '/proc/sys/net/ipv6/conf/all/forwarding')).trim()).to.equal('1');
    });

    it('follows new settings without a gap', async () => {
      await node.startFelix();
      await node.put(
        configured(backend, { iptablesMarkMask: 0xff00, defaultEndpointToHostAction: 'Accept' }),
      );
      await node.settled();
      const chains = await filter();
      expect(chains.get('cali-wl-to-host')?.at(-1)).to.match(/-j ACCEPT$/);
      expect(chains.get('cali-FORWARD')?.[0]).to.match(/0x0\/0x1a00$/);
      expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
      expect(await node.prober('outside').reach('tcp', addressesOf(2)[4], 8080, false)).to.equal(false);
    });
  });
}
