import { expect } from 'chai';
import fc from 'fast-check';
import * as iptables from './iptables.ts';
import { describeOnKernel, freshNamespace } from './testing.ts';

const TABLE: iptables.OwnTable = {
  prefix: 'mine',
  table: 'filter',
  chains: {
    'mine-in': ['-p tcp -m tcp --dport 22 -j ACCEPT', '-s 192.0.2.0/24 -j mine-log'],
    'mine-log': ['-j DROP'],
  },
  hooks: { INPUT: { first: ['-i eth0 -j mine-in'], last: ['-j ACCEPT'] } },
};

const spelled = (chain: string, texts: readonly string[]): readonly string[] =>
  iptables.hashRules('mine', chain, texts).map(({ text }) => text.replace('-j ', '--jump '));

const failed = (stderr: string, ending: object = { exitCode: 1 }): iptables.CommandError =>
  new iptables.CommandError({ code: 'COMMAND_FAILED', what: stderr, remedy: '' }, ['iptables-restore'], {
    stderr,
    ...ending,
  });

const stepAt = (line: number, input: readonly iptables.RestoreTable[]): unknown =>
  iptables.failureOf(failed(`line ${line} failed`), input)?.step;

const hash = (members: readonly string[], more: Partial<iptables.WantedSet> = {}): iptables.WantedSet => ({
  type: 'hash:net',
  members,
  ...more,
});
const saved = (name: string, members: readonly string[], options = {}, type = 'hash:net') => ({
  name,
  type,
  options: { family: 'inet', maxelem: '65536', ...options },
  members,
});

describe('a plan for one table', () => {
  it('says nothing of what is there already, however it is spelled', () => {
    const chains = Object.entries(TABLE.chains).map(([name, texts]) => ({
      name,
      rules: spelled(name, texts),
    }));
    const input = {
      name: 'INPUT',
      rules: [
        ...spelled('INPUT', ['-i eth0 -j mine-in']),
        '-j THEIRS',
        ...spelled('INPUT last', ['-j ACCEPT']),
      ],
    };
    const present = { table: 'filter', chains: [input, ...chains] };
    expect(iptables.planTable(TABLE, present)).to.deep.equal([]);
  });

  it('begins with the first rule that differs', () => {
    const kept = iptables.hashRules('mine', 'mine-in', ['-j A', '-j B', '-j C']);
    const present = {
      table: 'filter',
      chains: [{ name: 'mine-in', rules: kept.map(({ text }) => text) }],
    };
    const steps = iptables.planTable(
      { prefix: 'mine', table: 'filter', chains: { 'mine-in': ['-j A', '-j X'] } },
      present,
    );
    expect(steps.map((step) => step.op)).to.deep.equal(['delete-at', 'delete-at', 'append']);
  });

  it('refuses names that are not its own', () => {
    expect(() => iptables.planTable({ ...TABLE, chains: { INPUT: [] } }, undefined)).to.throw(
      RangeError,
      'begins with mine-',
    );
    expect(() => iptables.ownerOf('a b')).to.throw(RangeError);
  });

  it('knows its own hash in the first comment of a rule alone', () => {
    const owner = iptables.ownerOf('mine');
    expect(
      owner.hashOf('-s 10.0.0.0/8 -m comment --comment "mine:abc" -m comment --comment "x" -j A'),
    ).to.equal('abc');
    expect(owner.hashOf('-m comment --comment "x" -m comment --comment "mine:abc" -j A')).to.equal(undefined);
    expect(owner.hashOf('-m comment --comment "mines:abc" -j A')).to.equal(undefined);
    expect(owner.hashOf('-m comment --comment mine_abc -j A')).to.equal(undefined);
  });
});

describe('the failure of a tool', () => {
  const input: readonly iptables.RestoreTable[] = [
    { table: 'raw', steps: [{ op: 'make', chain: 'a' }] },
    {
      table: 'filter',
      steps: [
        { op: 'make', chain: 'b' },
        { op: 'append', chain: 'b', rule: '-j NOWHERE' },
      ],
    },
  ];

  for (const { it: title, error, kind } of [
    { it: 'of one that is not there', error: failed('', { notFound: true }), kind: 'not-installed' },
    {
      it: 'that did not get the lock',
      error: failed('Another app is currently holding the xtables lock.', { exitCode: 4 }),
      kind: 'locked',
    },
    {
      it: 'without root',
      error: failed('Could not fetch rule set generation id: Permission denied (you must be root)'),
      kind: 'not-permitted',
    },
    {
      it: 'on a machine without memory',
      error: failed('line 3: RULE_APPEND failed (No buffer space available)'),
      kind: 'busy',
    },
    { it: 'that was stopped', error: failed('', {}), kind: 'timed-out' },
    {
      it: 'about its input',
      error: failed('line 6: RULE_APPEND failed (Invalid argument)'),
      kind: 'refused',
    },
  ] as const)
    it(`is told apart: ${title}`, () => expect(iptables.failureOf(error)?.kind).to.equal(kind));

  it('names the step, across tables', () => {
    expect(stepAt(2, input)).to.deep.equal({ op: 'make', chain: 'a', table: 'raw' });
    expect(stepAt(6, input)).to.deep.equal({ op: 'append', chain: 'b', rule: '-j NOWHERE', table: 'filter' });
    expect([1, 3, 4, 7, 70].map((line) => stepAt(line, input))).to.deep.equal(Array(5).fill(undefined));
  });

  it('is nothing for what no tool has thrown', () =>
    expect(iptables.failureOf(new Error('x'))).to.equal(undefined));
});

for (const backend of ['nft', 'legacy'] as const)
  for (const version of [4, 6] as const)
    describeOnKernel(`one’s own part of a table, IPv${version}, ${backend}`, () => {
      const netns = freshNamespace();
      const options = (): iptables.IptablesOptions => ({ netns: netns.path(), backend });
      const net = version === 4 ? '192.0.2.0/24' : '2001:db8::/32';
      const wanted: iptables.OwnTable = {
        ...TABLE,
        chains: {
          ...TABLE.chains,
          'mine-in': ['-p tcp -m tcp --dport 22 -j ACCEPT', `-s ${net} -j mine-log`],
        },
      };
      const held = async (): Promise<Readonly<Record<string, readonly string[]>>> => {
        const [table] = await iptables.save(version, 'filter', options());
        return Object.fromEntries((table?.chains ?? []).map(({ name, rules }) => [name, rules]));
      };

      it('is made, found as it is, and put right; others’ stays', async () => {
        await iptables.restore(
          version,
          [
            {
              table: 'filter',
              steps: [
                { op: 'append', chain: 'INPUT', rule: '-i lo -j ACCEPT' },
                { op: 'make', chain: 'theirs' },
              ],
            },
          ],
          options(),
        );
        const keeper = new iptables.TableKeeper(version, options());
        expect(await keeper.apply(wanted)).to.be.greaterThan(0);
        const before = await held();
        expect(before.INPUT?.map((rule) => rule.replace(/-m comment --comment \S+ /, ''))).to.deep.equal([
          '-i eth0 -j mine-in',
          '-i lo -j ACCEPT',
          '-j ACCEPT',
        ]);
        expect(await new iptables.TableKeeper(version, options()).apply(wanted)).to.equal(0);
        const strangers: readonly iptables.RestoreStep[] = [
          { op: 'insert', chain: 'mine-in', rule: '-j ACCEPT' },
          { op: 'append', chain: 'mine-log', rule: '-j ACCEPT' },
          { op: 'insert', chain: 'INPUT', rule: '-i lo -j DROP' },
          { op: 'make', chain: 'mine-old' },
          {
            op: 'replace',
            chain: 'mine-log',
            position: 1,
            // Under our own comment.
            rule: (before['mine-log']?.[0] ?? '').replace('-j DROP', '-j ACCEPT'),
          },
        ];
        for (const step of strangers) {
          await iptables.restore(version, [{ table: 'filter', steps: [step] }], options());
          expect(await keeper.apply(wanted), JSON.stringify(step)).to.be.greaterThan(0);
        }
        const { INPUT = [], ...chains } = await held();
        const { INPUT: was = [], ...others } = before;
        expect(chains).to.deep.equal(others);
        expect(INPUT).to.deep.equal([was[0], '-i lo -j DROP', ...was.slice(1)]);
        expect(await keeper.apply({ ...wanted, chains: {}, hooks: {} })).to.be.greaterThan(0);
        expect(Object.keys(await held()).filter((name) => name.startsWith('mine'))).to.deep.equal([]);
        expect((await held()).INPUT).to.deep.equal(['-i lo -j DROP', '-i lo -j ACCEPT']);
      });

      it('fails as a whole, and the failure names the step', async () => {
        const steps: readonly iptables.RestoreStep[] = [
          { op: 'make', chain: 'mine-in' },
          { op: 'append', chain: 'mine-in', rule: '-m set --match-set nowhere src -j DROP' },
        ];
        const input = [{ table: 'filter', steps }];
        const error = await iptables.restore(version, input, options()).catch((reason: unknown) => reason);
        const failure = iptables.failureOf(error, input);
        expect(failure?.kind).to.equal('refused');
        expect(failure?.step).to.deep.equal({ ...steps[1], table: 'filter' });
        expect(await held()).not.to.have.property('mine-in');
      });
    });

const ops = (wanted: iptables.WantedSet): readonly string[] =>
  iptables.diffSets('mine', { 'mine-a': wanted }, [saved('mine-a', [])]).fill.map(({ op }) => op);

describe('a plan for sets', () => {
  it('takes members for the same, however they are written, and leaves what runs on aside', () => {
    const present = [saved('mine-a', ['10.0.0.0/8', '192.0.2.1 timeout 7', '192.0.2.9 packets 4 bytes 9'])];
    const wanted = { 'mine-a': hash(['10.1.0.0/8', '192.0.2.1/32', '192.0.2.9', '192.0.2.9']) };
    expect(iptables.diffSets('mine', wanted, present).fill).to.deep.equal([]);
  });

  it('adds before it takes away, and removes only its own, apart', () => {
    const present = [saved('mine-a', ['10.0.0.1', '10.0.0.2']), saved('mine-old', []), saved('theirs', [])];
    expect(iptables.diffSets('mine', { 'mine-a': hash(['10.0.0.2', '10.0.0.3']) }, present)).to.deep.equal({
      fill: [
        { op: 'add', name: 'mine-a', member: '10.0.0.3' },
        { op: 'delete', name: 'mine-a', member: '10.0.0.1' },
      ],
      remove: [{ op: 'destroy', name: 'mine-old' }],
    });
  });

  it('exchanges a set that has to be larger, and one of another type not', () => {
    expect(ops(hash(['10.0.0.1'], { maxElements: 1 << 17 }))).to.deep.equal([
      'create',
      'add',
      'swap',
      'destroy',
    ]);
    expect(ops({ type: 'hash:ip', members: [] })).to.deep.equal(['create', 'destroy', 'rename']);
    expect(ops(hash([], { maxElements: 9 }))).to.deep.equal([]);
  });

  it('refuses names that are not its own', () =>
    expect(() => iptables.diffSets('mine', { theirs: hash([]) }, [])).to.throw(RangeError));
});

describeOnKernel('a plan for sets, carried out', () => {
  const netns = freshNamespace();

  it('brings any state to any other, and finds it there', async () => {
    const options = { netns: netns.path() };
    const member = fc.constantFrom(
      '10.0.0.0/8',
      '10.1.2.3',
      '192.0.2.0/24',
      '192.0.2.1/32',
      '198.51.100.0/25',
    );
    const set = fc.record({
      type: fc.constant('hash:net'),
      maxElements: fc.constantFrom(64, 1024),
      members: fc.uniqueArray(member),
    });
    const state = fc.dictionary(fc.constantFrom('mine-a', 'mine-b', 'mine-c'), set);
    await iptables.ipset.restore([{ op: 'create', name: 'theirs', type: 'hash:ip' }], options);
    await fc.assert(
      fc.asyncProperty(state, async (wanted) => {
        const { fill, remove } = iptables.diffSets(
          'mine',
          wanted,
          await iptables.ipset.save(undefined, options),
        );
        await iptables.ipset.restore([...fill, ...remove], options);
        const present = await iptables.ipset.save(undefined, options);
        expect(present.map(({ name }) => name)).to.have.members(['theirs', ...Object.keys(wanted)]);
        expect(iptables.diffSets('mine', wanted, present)).to.deep.equal({ fill: [], remove: [] });
        for (const { name, members } of present)
          if (name in wanted) expect(members).to.have.length(wanted[name]?.members.length ?? 0);
      }),
      { numRuns: 25 },
    );
  });
});
