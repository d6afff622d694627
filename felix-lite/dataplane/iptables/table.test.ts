import { expect } from 'chai';
import fc from 'fast-check';
import { type Chain, type Hook, rule } from '../../rules/types.ts';
import { hashOf, isOurs } from './diff.ts';
import { IptablesTable } from './table.ts';
import { MemoryKernel, commandError } from './testing.ts';

const HOOK: Hook = {
  chain: 'FORWARD',
  first: [rule([], { kind: 'jump', chain: 'cali-FORWARD' })],
  last: [rule([], { kind: 'accept' }, 'last')],
};

function chain(name: string, ...nets: readonly string[]): Chain {
  return { name, rules: nets.map((net) => rule([{ kind: 'net', side: 'source', net }], { kind: 'drop' })) };
}

const FORWARD: Chain = {
  name: 'cali-FORWARD',
  rules: ['cali-pi-np/a', 'cali-pi-np/b', 'cali-pi-np/c'].map((name) =>
    rule([], { kind: 'jump', chain: name }),
  ),
};
const POLICIES = [
  chain('cali-pi-np/a', '10.0.0.1/32'),
  chain('cali-pi-np/b', '10.0.0.2/32'),
  chain('cali-pi-np/c', '10.0.0.3/32'),
];

function tableOver(kernel: MemoryKernel, chains: readonly Chain[] = [FORWARD, ...POLICIES]): IptablesTable {
  const table = new IptablesTable(4, 'filter', [HOOK], kernel);
  table.update(new Map(chains.map((each) => [each.name, each])));
  return table;
}

function ownChains(kernel: MemoryKernel): object {
  return Object.fromEntries([...kernel.chains].filter(([name]) => isOurs(name)));
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it should have failed');
}

describe('one iptables table', () => {
  it('takes one transaction for a whole load, and none when nothing changed', async () => {
    const kernel = new MemoryKernel();
    const table = tableOver(kernel);
    expect(await table.apply(true)).to.be.greaterThan(0);
    expect(kernel.writes).to.equal(1);
    expect(await table.apply(true)).to.equal(0);
    expect(kernel.writes).to.equal(1);
  });

  it('writes one chain without reading the table, and the whole is as wanted all the same', async () => {
    const kernel = new MemoryKernel();
    const table = tableOver(kernel);
    await table.apply(true);
    const { reads } = kernel;
    table.update(new Map([['cali-pi-np/b', chain('cali-pi-np/b', '10.0.0.9/32')]]));
    expect(await table.apply(false)).to.equal(2);
    table.update(
      new Map<string, Chain | undefined>([
        ['cali-FORWARD', { ...FORWARD, rules: FORWARD.rules.slice(0, 2) }],
        ['cali-pi-np/c', undefined],
      ]),
    );
    await table.apply(false);
    expect(kernel.reads).to.equal(reads);
    expect(kernel.chains.has('cali-pi-np/c')).to.equal(false);
    expect(table.ruleCount).to.equal(4);
    expect(await table.apply(true)).to.equal(0);
  });

  it('looks at the whole when a small write fails: somebody else was at work', async () => {
    const kernel = new MemoryKernel();
    const table = tableOver(kernel);
    await table.apply(true);
    kernel.chains.delete('cali-pi-np/b');
    kernel.chains.set('FORWARD', []);
    table.update(new Map([['cali-FORWARD', { ...FORWARD, rules: FORWARD.rules.toReversed() }]]));
    await table.apply(false);
    expect(kernel.chains.has('cali-pi-np/b')).to.equal(true);
    expect(kernel.chains.get('FORWARD')).to.have.length(2);
  });

  it('rewrites a chain from the first rule that differs: what stands before keeps its counters', async () => {
    const kernel = new MemoryKernel();
    const table = tableOver(kernel, [
      { ...FORWARD, rules: FORWARD.rules.slice(0, 1) },
      chain('cali-pi-np/a', '10.0.0.1/32', '10.0.0.2/32'),
    ]);
    await table.apply(true);
    const [kept] = kernel.chains.get('cali-pi-np/a') ?? [];
    table.update(
      new Map([['cali-pi-np/a', chain('cali-pi-np/a', '10.0.0.1/32', '10.0.0.9/32', '10.0.0.8/32')]]),
    );
    // Out with the second, in with two.
    expect(await table.apply(false)).to.equal(3);
    expect(kernel.chains.get('cali-pi-np/a')?.[0]).to.equal(kept);
    expect(kernel.chains.get('cali-pi-np/a')).to.have.length(3);
  });

  for (const namesLine of [true, false]) {
    it(`isolates a chain that the kernel refuses, told by ${namesLine ? 'its line' : 'the COMMIT only'}`, async () => {
      const kernel = Object.assign(new MemoryKernel(), { namesLine, refuses: /10\.0\.0\.2/ });
      const table = tableOver(kernel);
      await table.apply(true);
      expect(kernel.chains.get('cali-pi-np/b')).to.have.length(1);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.match(/--jump DROP$/);
      expect(kernel.chains.get('cali-pi-np/a')?.[0]).to.include('10.0.0.1/32');
      expect(kernel.chains.get('cali-pi-np/c')?.[0]).to.include('10.0.0.3/32');
      expect(table.problems.map(({ value }) => value)).to.deep.equal(['cali-pi-np/b']);
      expect([...kernel.chains.keys()].filter((name) => name.includes('probe'))).to.deep.equal([]);
      table.update(new Map([['cali-pi-np/b', chain('cali-pi-np/b', '10.0.0.7/32')]]));
      await table.apply(false);
      expect(table.problems).to.deep.equal([]);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.include('10.0.0.7/32');
    });
  }

  for (const namesLine of [true, false])
    it(`tries it again when it looks at the kernel, told by ${namesLine ? 'its line' : 'the COMMIT only'}`, async () => {
      const kernel = Object.assign(new MemoryKernel(), { namesLine, refuses: /10\.0\.0\.2/ });
      const table = tableOver(kernel);
      await table.apply(true);
      await table.apply(true);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.match(/--jump DROP$/);
      expect(table.problems.map(({ value }) => value)).to.deep.equal(['cali-pi-np/b']);
      kernel.refuses = /(?!)/;
      await table.apply(true);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.include('10.0.0.2/32');
      expect(table.problems).to.deep.equal([]);
    });

  it('closes no chain when everything is refused for a while, nor where the machine is short of something', async () => {
    for (const said of ['Invalid argument', 'line 9: RULE_APPEND failed (No buffer space available)']) {
      const kernel = new MemoryKernel();
      const table = tableOver(kernel);
      await table.apply(true);
      table.update(new Map([['cali-pi-np/b', chain('cali-pi-np/b', '10.0.0.7/32')]]));
      // The touch, three times the whole, and whether anything is taken at all.
      for (let i = 0; i < 5; i++) kernel.failures.push(commandError(said));
      expect(String(await rejection(table.apply(false)))).to.include(said);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.include('10.0.0.2/32');
      kernel.failures.length = 0;
      await table.apply(true);
      expect(kernel.chains.get('cali-pi-np/b')?.[0]).to.include('10.0.0.7/32');
      expect(table.problems).to.deep.equal([]);
      expect([...kernel.chains.keys()].filter((name) => name.includes('probe'))).to.deep.equal([]);
    }
  });

  it('changes nothing at all when a chain that is not a user’s is refused', async () => {
    const kernel = Object.assign(new MemoryKernel(), { refuses: /cali-pi-np\/b/ });
    expect(String(await rejection(tableOver(kernel).apply(true)))).to.include('Invalid argument');
    expect([...kernel.chains]).to.deep.equal([['FORWARD', []]]);
  });

  it('tries again when another program was at work, with what the kernel holds by then', async () => {
    const kernel = new MemoryKernel();
    kernel.failures.push(
      commandError('Another app is currently holding the xtables lock.'),
      commandError('Resource temporarily unavailable'),
    );
    await tableOver(kernel).apply(true);
    expect(kernel.writes).to.equal(3);
    expect(kernel.chains.get('FORWARD')).to.have.length(2);
  });

  it('gives up with the tool’s words, and knows the next time that it knows nothing', async () => {
    const kernel = new MemoryKernel();
    const table = tableOver(kernel);
    const lock = commandError('Another app is currently holding the xtables lock.');
    kernel.failures.push(lock, lock, lock);
    expect(await rejection(table.apply(true))).to.equal(lock);
    kernel.chains.set('cali-junk', []);
    await table.apply(false);
    expect(kernel.chains.has('cali-junk')).to.equal(false);
    expect(kernel.chains.get('FORWARD')).to.have.length(2);
  });

  it('brings any table to what is wanted and leaves every rule of others, in its order', async () => {
    const ours = fc.constantFrom('cali-FORWARD', 'cali-pi-np/a', 'cali-pi-np/b', 'cali-old', 'cali-older');
    const theirs = fc.constantFrom('FORWARD', 'INPUT', 'THEIRS', 'cali');
    const hash = fc.constantFrom(
      '',
      '-m comment --comment "cali:wUHhoiAYhphO9Mso" ',
      '-m comment --comment "cali:0123456789abcdef" ',
      '-m comment --comment "not:cali" ',
    );
    const text = fc
      .tuple(hash, fc.constantFrom('-s 192.0.2.1/32 --jump DROP', '--jump ACCEPT', '-p tcp --jump RETURN'))
      .map((parts) => parts.join(''));
    const state = fc.dictionary(fc.oneof(ours, theirs), fc.array(text, { maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(state, async (before) => {
        const kernel = new MemoryKernel();
        for (const [name, rules] of Object.entries(before)) kernel.chains.set(name, rules);
        const strangers = (): object =>
          Object.fromEntries(
            [...kernel.chains]
              .filter(([name]) => !isOurs(name))
              .map(([name, rules]) => [name, rules.filter((each) => hashOf(each) === undefined)]),
          );
        const untouched = strangers();
        const fresh = new MemoryKernel();
        for (const each of [fresh, kernel]) await tableOver(each).apply(true);
        expect(strangers()).to.deep.equal(untouched);
        expect(ownChains(kernel)).to.deep.equal(ownChains(fresh));
        expect(kernel.chains.get('FORWARD')?.[0]).to.equal(fresh.chains.get('FORWARD')?.[0]);
        expect(
          [...kernel.chains.values()].flat().filter((each) => hashOf(each) !== undefined),
        ).to.have.length([...fresh.chains.values()].flat().length);
      }),
      { numRuns: 300 },
    );
  });
});
