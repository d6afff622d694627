import { expect } from 'chai';
import * as fc from 'fast-check';
import * as ipset from './ipset.ts';
import { CommandError } from './process.ts';
import { describeOnKernel, freshNamespace } from './testing.ts';

describe('ipset text', () => {
  it('reads sets, options and members', () => {
    const text = `create cali40s:abc hash:net family inet hashsize 1024 maxelem 1048576 counters bucketsize 12 initval 0x1
create cali60x hash:ip,port family inet6 hashsize 64 maxelem 65536 bucketsize 12 initval 0x2
add cali40s:abc 10.0.0.0/8
add cali40s:abc 10.1.0.0/16 nomatch packets 0 bytes 0
add cali60x fd00::1,tcp:80
`;
    const [first, second, ...more] = ipset.parseSets(text);
    expect(more).to.deep.equal([]);
    expect(first?.options).to.include({ family: 'inet', maxelem: '1048576', counters: '' });
    expect(first?.members).to.deep.equal(['10.0.0.0/8', '10.1.0.0/16 nomatch packets 0 bytes 0']);
    expect(second).to.include({ name: 'cali60x', type: 'hash:ip,port' });
    expect(second?.members).to.deep.equal(['fd00::1,tcp:80']);
  });

  it('refuses what ipset does not write, naming the line', () => {
    expect(() => ipset.parseSets('add x 1.2.3.4\n')).to.throw(RangeError, /line 1/);
    expect(() => ipset.parseSets('create x hash:ip\nnonsense\n')).to.throw(RangeError, /line 2/);
  });

  it('reads back what it writes', () => {
    const anySet = fc.record({
      name: fc.stringMatching(/^[a-z][a-z0-9:_-]{0,30}$/),
      type: fc.constantFrom('hash:ip', 'hash:net', 'hash:ip,port'),
      members: fc.array(fc.stringMatching(/^[0-9a-f:.,/]{1,20}$/)),
    });
    fc.assert(
      fc.property(fc.uniqueArray(anySet, { selector: ({ name }) => name }), (sets) => {
        const text = ipset.buildSets(
          sets.flatMap(({ name, type, members }) => [
            { op: 'create', name, type } as const,
            ...members.map((member) => ({ op: 'add', name, member }) as const),
          ]),
        );
        expect(ipset.parseSets(text)).to.deep.equal(sets.map((set) => ({ ...set, options: {} })));
      }),
    );
  });

  it('lets nothing break out of its line', () => {
    expect(() => ipset.buildSets([{ op: 'add', name: 'x', member: '1.2.3.4\ndestroy' }])).to.throw(
      RangeError,
    );
    expect(() => ipset.buildSets([{ op: 'flush', name: 'x y' }])).to.throw(RangeError);
    expect(() => ipset.buildSets([{ op: 'flush', name: 's'.repeat(32) }])).to.throw(RangeError);
  });
});

describeOnKernel('ipset', () => {
  const netns = freshNamespace();
  const options = () => ({ netns: netns.path() });

  it('creates, fills, swaps and destroys sets of both families', async () => {
    await ipset.restore(
      [
        { op: 'create', name: 'v4', type: 'hash:net', family: 'inet', maxElements: 1048576 },
        { op: 'create', name: 'v6', type: 'hash:net', family: 'inet6' },
        { op: 'create', name: 'new4', type: 'hash:net', family: 'inet', maxElements: 1048576 },
        { op: 'add', name: 'v4', member: '10.0.0.0/8' },
        { op: 'add', name: 'v6', member: 'fd00::/8' },
        { op: 'add', name: 'new4', member: '192.0.2.1' },
        { op: 'swap', name: 'new4', with: 'v4' },
        { op: 'destroy', name: 'new4' },
      ],
      options(),
    );
    const sets = await ipset.save(undefined, options());
    expect(sets.map(({ name }) => name).sort()).to.deep.equal(['v4', 'v6']);
    const [v4] = await ipset.save('v4', options());
    expect(v4?.options).to.include({ family: 'inet', maxelem: '1048576' });
    expect(v4?.members).to.deep.equal(['192.0.2.1']);
    const [v6] = await ipset.save('v6', options());
    expect(v6?.members).to.deep.equal(['fd00::/8']);
    expect(await ipset.listNames(options())).to.have.members(['v4', 'v6']);
    expect(await ipset.save('absent', options())).to.deep.equal([]);
  });

  it('can be told the same thing twice', async () => {
    const steps: ipset.IpsetStep[] = [
      { op: 'create', name: 's', type: 'hash:ip' },
      { op: 'add', name: 's', member: '192.0.2.1' },
      { op: 'delete', name: 's', member: '192.0.2.2' },
    ];
    await ipset.restore(steps, options());
    await ipset.restore(steps, options());
    try {
      await ipset.restore(steps, { ...options(), exist: false });
      expect.fail('should have been refused');
    } catch (error) {
      expect(error).to.be.instanceOf(CommandError);
      expect(String(error)).to.contain('line 1').and.contain('already exists');
    }
  });

  it('holds a hundred thousand members', async function () {
    this.timeout(120_000);
    const members = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    await ipset.restore(
      [
        { op: 'create', name: 'big', type: 'hash:ip', maxElements: 200_000 },
        ...members.map((member) => ({ op: 'add', name: 'big', member }) as const),
      ],
      options(),
    );
    const [big] = await ipset.save('big', options());
    expect(new Set(big?.members)).to.deep.equal(new Set(members));
  });
});
