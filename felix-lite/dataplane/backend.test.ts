import { expect } from 'chai';
import { iptables, run } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { type Backend, type BackendWishes, chooseBackend } from './backend.ts';

const AUTO: BackendWishes = { nftables: undefined, iptables: undefined };
const THEIRS = '*filter\n-A INPUT -i eth9 -j DROP\nCOMMIT\n';
const OURS = '*filter\n:cali-FORWARD - [0:0]\nCOMMIT\n';

describeOnKernel('the choice of a backend', () => {
  const netns = freshNamespace();
  const restore = (backend: 'nft' | 'legacy', text: string): Promise<void> =>
    iptables.restore(4, text, { netns: netns.path(), backend });
  const choose = async (
    wishes: BackendWishes = AUTO,
  ): Promise<readonly [Backend, readonly Backend[], readonly string[]]> => {
    const { use, abandon, problems } = await chooseBackend(wishes, netns.path());
    return [use, abandon, problems.map(({ code }) => code)];
  };

  it('goes with what others use, and warns where they use both', async () => {
    await restore('legacy', THEIRS);
    expect(await choose()).to.deep.equal(['legacy', [], []]);
    await restore('nft', THEIRS);
    expect((await choose())[2]).to.deep.equal(['IPTABLES_BOTH_IN_USE']);
    expect(await choose({ nftables: true, iptables: undefined })).to.deep.equal(['nftables', [], []]);
  });

  it('stays where its own work is, and knows what it left elsewhere', async () => {
    await restore('legacy', OURS);
    expect(await choose()).to.deep.equal(['legacy', [], []]);
    expect(await choose({ nftables: false, iptables: 'nft' })).to.deep.equal(['nft', ['legacy'], []]);
    expect(await choose({ nftables: true, iptables: undefined })).to.deep.equal(['nftables', ['legacy'], []]);
  });

  it('goes to nftables where kube-proxy is, or our own table', async () => {
    await run('nft', ['add table ip kube-proxy; add chain ip kube-proxy services'], { netns: netns.path() });
    expect((await choose())[0]).to.equal('nftables');
    expect((await choose({ nftables: false, iptables: 'nft' }))[0]).to.equal('nft');
    await run('nft', ['delete table ip kube-proxy; add table ip6 calico; add chain ip6 calico x'], {
      netns: netns.path(),
    });
    expect((await choose())[0]).to.equal('nftables');
    expect(await choose({ nftables: false, iptables: 'nft' })).to.deep.equal(['nft', ['nftables'], []]);
  });
});
