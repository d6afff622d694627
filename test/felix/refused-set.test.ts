/**
 * A set that the kernel refuses: what looks into it fails closed and is named, all others proceed, and all is as it should
 * be once the kernel takes it.
 */
import { expect } from 'chai';
import type { FelixConfiguration } from '../../api/index.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { Pipeline } from '../../felix-lite/daemon/pipeline.ts';
import { ipset, iptables, Nftables } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import {
  DB,
  NODE,
  TestNode,
  WEB,
  type Workload,
  addressesOf,
  endpointOf,
  openProfile,
  valid,
} from './node.ts';

const CACHE: Workload = { name: 'cache', namespace: 'prod', labels: { role: 'cache' }, index: 3 };

const PARTNERS = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'GlobalNetworkSet',
  metadata: { name: 'partners', labels: { partner: 'yes' } },
  spec: { nets: ['10.65.0.1/32', '192.0.2.1/32', '192.0.2.2/32'] },
};

function guarding(role: string, source: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: role, namespace: 'prod' },
    spec: { selector: `role == '${role}'`, ingress: [{ action: 'Allow', source }] },
  };
}

const FROM_PARTNERS = guarding('db', { selector: "partner == 'yes'", namespaceSelector: 'global()' });
const FROM_WEB = guarding('cache', { selector: "role == 'web'" });

const BACKENDS = {
  nft: { nftablesMode: 'Disabled', iptablesBackend: 'NFT' },
  legacy: { nftablesMode: 'Disabled', iptablesBackend: 'Legacy' },
  nftables: { nftablesMode: 'Enabled' },
} as const;

function keyed(value: object): Parameters<Pipeline['update']>[0][number] {
  const { kind, metadata } = valid(value);
  return { key: { kind, scope: metadata.namespace ?? '', name: metadata.name }, value };
}

for (const backend of ['nft', 'legacy', 'nftables'] as const) {
  describeOnKernel(`a set that the kernel refuses, ${backend}`, function () {
    this.timeout(180_000);
    let node: TestNode;
    let pipeline: Pipeline;
    const reach = (from: string, to: Workload, hoped: boolean): Promise<boolean> =>
      node.prober(from).reach('tcp', addressesOf(to.index)[4], 8080, hoped);
    const refusals = () => pipeline.problems.filter(({ code }) => code === 'SET_REFUSED');

    beforeEach(async () => {
      node = await TestNode.create([WEB, DB, CACHE]);
      const configuration = valid({
        apiVersion: 'projectcalico.org/v3',
        kind: 'FelixConfiguration',
        metadata: { name: 'default' },
        spec: BACKENDS[backend],
      }) as FelixConfiguration;
      const settings = readSettings(configuration, undefined);
      pipeline = await Pipeline.create({ node: NODE, settings, netns: node.netns });
      const all = [openProfile('prod'), ...[WEB, DB, CACHE].map(endpointOf), PARTNERS, FROM_WEB];
      pipeline.update(all.map(keyed));
    });
    afterEach(async () => {
      pipeline.close();
      await node.remove();
    });

    /** The set of partners, as the kernel calls it. */
    const learnName = async (): Promise<string> => {
      if (backend !== 'nftables')
        return (
          (await ipset.save(undefined, { netns: node.netns })).find(({ members }) =>
            members.includes('192.0.2.1'),
          )?.name ?? ''
        );
      using nft = Nftables.open({ netns: node.netns });
      const table = { family: 'ip', name: 'calico' } as const;
      for (const { name } of await nft.listSets(table))
        if ((await nft.listElements(table, name)).some(({ key }) => key === 'c0000201')) return name;
      return '';
    };

    /** Something of that name is there, and not such that what is wanted could be put into it. */
    const spoil = async (name: string): Promise<void> => {
      const { netns } = node;
      if (backend === 'nftables') {
        await node.run('nft', `add set ip calico ${name} { type ipv4_addr; size 2; }`);
        return;
      }
      await ipset.restore(`create ${name} hash:ip\n`, { netns });
      await iptables.restore(
        4,
        `*mangle\n-A FORWARD -m set --match-set ${name} src -j MARK --set-mark 1\nCOMMIT\n`,
        {
          netns,
          backend,
          noflush: true,
        },
      );
    };

    it('closes what looks into it and nothing else, names it, and opens when it is taken', async () => {
      pipeline.update([keyed(FROM_PARTNERS)]);
      await pipeline.apply(true);
      expect(await reach('web', DB, true)).to.equal(true);
      const name = await learnName();
      const { key } = keyed(FROM_PARTNERS);
      pipeline.update([{ key, value: undefined }]);
      await pipeline.apply(false);
      // What rests goes with a pass that has nothing else to do.
      await pipeline.apply(false);
      await spoil(name);

      pipeline.update([keyed(FROM_PARTNERS)]);
      const { failures, leftover } = await pipeline.apply(true);
      expect(failures).to.deep.equal([]);
      expect(leftover).to.be.greaterThan(0);
      expect(
        await Promise.all([reach('web', DB, false), reach('outside', DB, false), reach('web', CACHE, true)]),
      ).to.deep.equal([false, false, true]);
      // The next pass may have taken it already, and then it is in order.
      if (backend !== 'nftables') {
        expect(refusals()).to.have.length(1);
        expect(refusals()[0]?.what).to.include(name).and.to.include('NetworkPolicy prod/db');
        await iptables.restore(4, '*mangle\n-F FORWARD\nCOMMIT\n', {
          netns: node.netns,
          backend,
          noflush: true,
        });
      }

      await pipeline.apply(false);
      await pipeline.apply(true);
      expect(refusals()).to.deep.equal([]);
      expect(
        await Promise.all([reach('web', DB, true), reach('outside', DB, false), reach('web', CACHE, true)]),
      ).to.deep.equal([true, false, true]);
    });

    if (backend === 'nftables')
      it('goes round a set of another make, and the table stays', async () => {
        pipeline.update([keyed(FROM_PARTNERS)]);
        await pipeline.apply(true);
        const name = await learnName();
        const { key } = keyed(FROM_PARTNERS);
        pipeline.update([{ key, value: undefined }]);
        await pipeline.apply(false);
        await pipeline.apply(false);
        await node.run('nft', `add set ip calico ${name} { type ipv6_addr; }`);
        pipeline.update([keyed(FROM_PARTNERS)]);
        expect((await pipeline.apply(true)).failures).to.deep.equal([]);
        expect(refusals()).to.deep.equal([]);
        expect(await learnName()).to.equal(`${name}-anew`);
        expect(await node.run('nft', 'list sets')).to.not.include(`set ${name} {`);
        expect(await Promise.all([reach('web', DB, true), reach('outside', DB, false)])).to.deep.equal([
          true,
          false,
        ]);
        expect((await pipeline.apply(true)).steps).to.equal(0);
      });
  });
}
