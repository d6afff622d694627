import { expect } from 'chai';
import type { IpVersion } from '../../net/addr/index.ts';
import { iptables, run } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { type Backend, type BackendWishes, chooseBackend } from './backend.ts';
import { type Machine, thisMachine } from './machine.ts';

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

describe('the choice of a backend on a kernel that we do not have', () => {
  type Answers = {
    readonly installed?: readonly ('nft' | 'legacy')[];
    readonly standard?: 'nft' | 'legacy';
    /** Rules, by backend, of IPv4's table filter. */
    readonly rules?: Readonly<Partial<Record<'nft' | 'legacy', readonly string[]>>>;
    readonly tables?: readonly string[];
    readonly refuses?: readonly `${'nft' | 'nftables'} ${IpVersion}`[];
  };
  const machine = ({
    installed = ['nft', 'legacy'],
    standard = 'nft',
    rules = {},
    tables = [],
    refuses = [],
  }: Answers): Machine => ({
    installed: (backend) => installed.includes(backend),
    standard: () => Promise.resolve(standard),
    saved: (backend, version) =>
      Promise.resolve(
        version === 4 && rules[backend] !== undefined
          ? [{ table: 'filter', chains: [{ name: 'FORWARD', rules: rules[backend] }] }]
          : [],
      ),
    holdsTable: (version, name) => Promise.resolve(version === 4 && tables.includes(name)),
    refusal: (backend, version) =>
      Promise.resolve(refuses.includes(`${backend} ${version}`) ? 'EOPNOTSUPP' : undefined),
  });
  const ALL = ['nft 4', 'nft 6', 'nftables 4', 'nftables 6'] as const;

  const cases: readonly {
    readonly it: string;
    readonly on: Answers;
    readonly want: Backend;
    readonly wishes?: BackendWishes;
    readonly versions?: readonly IpVersion[];
  }[] = [
    {
      it: 'takes what iptables stands for where nothing decides',
      on: { standard: 'legacy' },
      want: 'legacy',
    },
    {
      it: 'takes legacy where the kernel refuses every table of nf_tables',
      on: { refuses: ALL },
      want: 'legacy',
    },
    { it: 'takes legacy where the kernel refuses IPv6 alone', on: { refuses: ['nft 6'] }, want: 'legacy' },
    {
      it: 'asks nothing of a family that is not needed',
      on: { refuses: ['nft 6'] },
      versions: [4],
      want: 'nft',
    },
    {
      it: 'takes legacy where the kernel has no matches of iptables, and tables of our own only where they are wished for',
      on: { refuses: ['nft 4', 'nft 6'] },
      want: 'legacy',
    },
    {
      it: 'takes legacy beside kube-proxy where the kernel has no maps for us',
      on: { refuses: ALL, tables: ['kube-proxy'] },
      want: 'legacy',
    },
    { it: 'takes tables of our own beside kube-proxy', on: { tables: ['kube-proxy'] }, want: 'nftables' },
    { it: 'takes tables of our own where no tools are', on: { installed: [] }, want: 'nftables' },
    {
      it: 'does not go to a kernel’s refusal for the rules of others',
      on: { refuses: ALL, rules: { nft: ['-j DROP'] } },
      want: 'legacy',
    },
    {
      it: 'goes where others have rules',
      on: { standard: 'legacy', rules: { nft: ['-j DROP'] } },
      want: 'nft',
    },
    {
      it: 'takes nft where legacy is not installed',
      on: { installed: ['nft'], standard: 'legacy' },
      want: 'nft',
    },
    {
      it: 'does what it is told, and leaves it to the kernel to refuse',
      on: { refuses: ALL },
      wishes: { nftables: false, iptables: 'nft' },
      want: 'nft',
    },
    {
      it: 'does what it is told of tables of its own',
      on: { refuses: ALL },
      wishes: { nftables: true, iptables: undefined },
      want: 'nftables',
    },
  ];
  for (const { it: title, on, want, wishes = AUTO, versions } of cases)
    it(title, async () =>
      expect((await chooseBackend(wishes, undefined, versions, machine(on))).use).to.equal(want),
    );
});

describeOnKernel('what is asked of a machine', () => {
  const netns = freshNamespace();

  it('finds out what the kernel takes and leaves no trace', async () => {
    const machine = thisMachine(netns.path());
    for (const backend of ['nft', 'nftables'] as const)
      for (const version of [4, 6] as const)
        expect(await machine.refusal(backend, version), `${backend} ${version}`).to.equal(undefined);
    for (const backend of ['nft', 'legacy'] as const)
      expect(await machine.saved(backend, 4), backend).to.deep.equal([]);
    const { stdout } = await run('nft', ['list', 'ruleset'], { netns: netns.path() });
    expect(stdout).to.equal('');
  });
});
