import { expect } from 'chai';
import * as iptables from './iptables.ts';
import { presentTables } from './iptables-present.ts';
import { Nftables } from './netlink/nftables/nftables.ts';
import { describeOnKernel, freshNamespace } from './testing.ts';

describeOnKernel('tables of iptables that are there', () => {
  const netns = freshNamespace();

  for (const backend of ['nft', 'legacy'] as const)
    it(`are told without making one (${backend})`, async () => {
      const options = { netns: netns.path(), backend };
      const present = async (version: 4 | 6): Promise<readonly string[]> => [
        ...(await presentTables(version, options)),
      ];
      expect([await present(4), await present(6)]).to.deep.equal([[], []]);
      await iptables.restore(
        4,
        '*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n*mangle\n-A OUTPUT -j ACCEPT\nCOMMIT\n',
        options,
      );
      expect([(await present(4)).toSorted(), await present(6)]).to.deep.equal([['mangle', 'nat'], []]);
      await iptables.restore(6, '*filter\n-A OUTPUT -j ACCEPT\nCOMMIT\n', options);
      expect(await present(6)).to.deep.equal(['filter']);
    });

  it('are only those that iptables has, among tables of nf_tables', async () => {
    using nft = Nftables.open({ netns: netns.path() });
    await nft.commit([{ op: 'add-table', table: { family: 'ip', name: 'calico' } }]);
    expect(await nft.listTables('ip')).to.deep.equal(['calico']);
    expect([...(await presentTables(4, { netns: netns.path(), backend: 'nft' }))]).to.deep.equal([]);
  });
});

describeOnKernel('what the kernel would refuse', () => {
  const netns = freshNamespace();

  it('is told operation by operation, and nothing of it is done', async () => {
    using nft = Nftables.open({ netns: netns.path() });
    const table = { family: 'ip', name: 't' } as const;
    const { generation } = await nft.commit([{ op: 'add-table', table: { ...table, name: 'there' } }]);
    const refused = await nft.refusals([
      { op: 'add-table', table },
      { op: 'add-chain', table, chain: { name: 'c' } },
      { op: 'delete-chain', table, chain: 'absent' },
      {
        op: 'add-rule',
        table,
        rule: { chain: 'c', expressions: [{ kind: 'match', name: 'nothing', revision: 0, info: '' }] },
      },
    ]);
    expect([...refused.keys()]).to.deep.equal([2, 3]);
    expect(refused.get(2)).to.equal('ENOENT');
    expect([await nft.listTables('ip'), await nft.generation()]).to.deep.equal([['there'], generation]);
  });
});
