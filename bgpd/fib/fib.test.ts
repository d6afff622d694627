import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import { Fib } from './fib.ts';
import type { FibEvent, FibOptions } from './options.ts';
import { SimulatedTable } from './testing.ts';
import type { Way } from './ways.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);
const via = (...gateways: string[]): ForwardingEntry => ({ type: 'unicast', gateways: gateways.map(at) });
const BLACKHOLE: ForwardingEntry = { type: 'blackhole' };
const A = p('10.1.0.0/24');
const B = p('10.2.0.0/24');

const way = (prefix: string, ...gateways: string[]): Way => ({
  prefix: p(prefix),
  metric: 0,
  gateways: gateways.map(at),
});

const over = (link: string, prefix: string): Way => ({ ...way(prefix), link });

interface Rig {
  readonly clock: SimulatedClock;
  readonly table: SimulatedTable;
  readonly events: FibEvent[];
  readonly fib: Fib;
}

async function rig(
  prepare: (table: SimulatedTable) => void = () => {},
  options: Partial<FibOptions> = {},
): Promise<Rig> {
  const clock = new SimulatedClock();
  const table = new SimulatedTable();
  prepare(table);
  const events: FibEvent[] = [];
  const fib = await Fib.open(table, clock, { ...options, onEvent: (event) => void events.push(event) });
  return { clock, table, events, fib };
}

/** Lets a burst of events pass. */
async function settled({ clock, fib }: Pick<Rig, 'clock' | 'fib'>): Promise<void> {
  clock.advance(50);
  await fib.idle();
}

describe('fib', () => {
  it('knows over which link an address is reached, and says when that has changed, if anybody had asked', async () => {
    const { clock, table, fib } = await rig();
    let changes = 0;
    fib.watchLinks(() => changes++);
    const read = async (...ways: Way[]): Promise<string | undefined> => {
      table.ways = ways;
      fib.disturbed();
      await settled({ clock, fib });
      return fib.linkTo(at('192.0.2.1'));
    };
    expect(await read(over('eth0', '192.0.2.0/24'), over('eth9', '0.0.0.0/0'))).to.equal('eth0');
    expect(changes).to.equal(0);
    expect(await read(over('eth0', '192.0.2.0/24'), over('eth8', '0.0.0.0/0'))).to.equal('eth0');
    expect(changes).to.equal(0);
    expect(fib.linkTo(at('203.0.113.1'))).to.equal('eth8');
    expect(await read(over('eth1', '192.0.2.0/24'), over('eth8', '0.0.0.0/0'))).to.equal('eth1');
    expect(changes).to.equal(1);
    expect(await read()).to.equal(undefined);
    expect(changes).to.equal(2);
  });

  it('installs, replaces and removes what the speaker says, and says what is installed', async () => {
    const { table, fib } = await rig();
    fib.complete('ipv4-unicast');
    fib.set(A, via('192.0.2.1'));
    fib.set(B, BLACKHOLE);
    expect(fib.status(A)).to.deep.equal({ state: 'pending' });
    await fib.idle();
    expect(fib.status(A)).to.deep.equal({ state: 'installed' });
    fib.set(A, via('192.0.2.1', '192.0.2.2'));
    fib.set(B, undefined);
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1 192.0.2.2' });
    expect(table.log).to.deep.equal([
      'add 10.1.0.0/24 192.0.2.1',
      'add 10.2.0.0/24 blackhole',
      'replace 10.1.0.0/24 192.0.2.1 192.0.2.2',
      'delete 10.2.0.0/24',
    ]);
    expect(fib.status(B)).to.equal(undefined);
  });

  it('adopts what is there: what stays true is not touched, what does not goes once the family is complete', async () => {
    const { table, fib } = await rig((table) => {
      table.put(A, 'ours', via('192.0.2.1'));
      table.put(B, 'ours', via('192.0.2.9'));
    });
    expect([fib.adopted('ipv4-unicast'), fib.adopted('ipv6-unicast')]).to.deep.equal([true, false]);
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    expect(table.log).to.deep.equal([]);
    fib.complete('ipv6-unicast');
    await fib.idle();
    expect(table.log).to.deep.equal([]);
    fib.complete('ipv4-unicast');
    await fib.idle();
    expect(table.log).to.deep.equal(['delete 10.2.0.0/24']);
  });

  it('sends on what has been answered in the middle of a turn, until the kernel has all', async () => {
    const { table, fib } = await rig((table) => (table.prompt = true), { batch: 256 });
    const prefixes = Array.from({ length: 3_000 }, (_, i) =>
      Prefix.of(Address.v4(0x0a00_0000 + i * 256), 24),
    );
    for (const prefix of prefixes) fib.set(prefix, via('192.0.2.1'));
    expect(table.routes.size, 'before any other turn').to.be.greaterThan(2_000);
    expect(fib.isHungry()).to.equal(true);
    await fib.idle();
    expect(table.log, 'each once').to.have.lengthOf(3_000);
    expect(fib.status(prefixes[2_999] as Prefix)).to.deep.equal({ state: 'installed' });
    await fib.close();
  });

  it("leaves a stranger's route alone, and takes its place when it goes", async () => {
    const { clock, table, fib, events } = await rig((table) => table.put(A, 'other'));
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    expect(fib.status(A)).to.deep.equal({ state: 'yielded', reason: '10.1.0.0/24 proto static' });
    table.routes.delete(A.toString());
    fib.observe(A, 'other', 'deleted');
    await settled({ clock, fib });
    expect(fib.status(A)).to.deep.equal({ state: 'installed' });
    expect(events.map((event) => event.type)).to.deep.equal(['refused', 'yielded']);
  });

  it('reports what the kernel refuses, once, keeps asking, and installs the rest', async () => {
    const { clock, table, fib, events } = await rig((table) => table.unreachable.add('192.0.2.1'));
    fib.set(A, via('192.0.2.1'));
    fib.set(B, via('192.0.2.2'));
    await fib.idle();
    expect(fib.status(A)).to.deep.equal({ state: 'refused', reason: 'network is unreachable' });
    expect(table.ours()).to.deep.equal({ '10.2.0.0/24': '192.0.2.2' });
    for (let i = 0; i < 5; i++) {
      clock.step();
      await fib.idle();
    }
    expect(events).to.have.lengthOf(1);
    table.unreachable.clear();
    fib.disturbed();
    await settled({ clock, fib });
    expect(fib.status(A)).to.deep.equal({ state: 'installed' });
  });

  it('would rather have no route than one over a next hop that is not the chosen one any more', async () => {
    const { table, fib } = await rig((table) => table.unreachable.add('192.0.2.2'));
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    fib.set(A, via('192.0.2.2'));
    await fib.idle();
    expect(table.ours()).to.deep.equal({});
  });

  it('uses one gateway that works while the kernel has no way to another, and all of them again later', async () => {
    const { clock, table, fib, events } = await rig((table) => table.unreachable.add('192.0.2.1'));
    fib.set(A, via('192.0.2.1', '192.0.2.2', '192.0.2.3'));
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.2' });
    expect(fib.status(A)).to.deep.equal({ state: 'degraded', reason: 'network is unreachable' });
    clock.advance(10_000);
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.2' });
    expect(events).to.have.lengthOf(1);
    table.unreachable.clear();
    clock.advance(30_000);
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1 192.0.2.2 192.0.2.3' });
    expect(fib.status(A)).to.deep.equal({ state: 'installed' });
  });

  it('reaches a next hop that is not on a connected subnet over the route that leads to it, and follows its changes', async () => {
    const { clock, table, fib } = await rig((table) => {
      table.ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    });
    fib.set(A, via('192.0.2.1', '203.0.113.7'));
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1 192.0.2.254' });
    expect(fib.status(A)).to.deep.equal({ state: 'installed' });
    table.ways = [...table.ways, way('203.0.113.0/24', '192.0.2.253')];
    fib.observe(p('203.0.113.0/24'), 'other', 'new');
    await settled({ clock, fib });
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1 192.0.2.253' });
    const before = table.lists;
    fib.observe(p('198.51.100.0/24'), 'other', 'new');
    await settled({ clock, fib });
    expect(table.lists, 'a route that no next hop needs').to.equal(before);
  });

  it('reads the table once for a burst of events', async () => {
    const { clock, table, fib } = await rig();
    const before = table.lists;
    for (let i = 0; i < 100; i++) fib.disturbed();
    await settled({ clock, fib });
    expect(table.lists - before).to.equal(1);
  });

  it('puts right what somebody removed or changed', async () => {
    const { clock, table, fib, events } = await rig();
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    table.routes.delete(A.toString());
    fib.observe(A, 'ours', 'deleted');
    await settled({ clock, fib });
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1' });
    table.put(A, 'ours', via('192.0.2.66'));
    fib.disturbed();
    await settled({ clock, fib });
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1' });
    expect(events).to.deep.equal([
      { type: 'repaired', routes: 1 },
      { type: 'repaired', routes: 1 },
    ]);
  });

  it('changes a blackhole into a way by removing it first: IPv6 would keep both', async () => {
    const { table, fib } = await rig();
    fib.set(A, BLACKHOLE);
    await fib.idle();
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    expect(table.log.slice(1)).to.deep.equal(['delete 10.1.0.0/24', 'add 10.1.0.0/24 192.0.2.1']);
  });

  it('survives a table that cannot be reached, and catches up', async () => {
    const { clock, table, fib, events } = await rig();
    table.broken = true;
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    expect(events).to.deep.equal([{ type: 'unavailable', reason: 'netlink is gone' }]);
    table.broken = false;
    clock.advance(1000);
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1' });
  });

  it('loses nothing of a batch whose fate is unknown', async () => {
    const { clock, table, fib } = await rig();
    const send = table.send.bind(table);
    table.send = async (changes) => {
      await send(changes);
      table.send = send;
      throw new Error('the answer was lost');
    };
    fib.set(A, via('192.0.2.1'));
    fib.set(B, BLACKHOLE);
    await fib.idle();
    clock.advance(1000);
    await fib.idle();
    expect([fib.status(A), fib.status(B)]).to.deep.equal([{ state: 'installed' }, { state: 'installed' }]);
  });

  it('reads the table again now and then, whatever events said', async () => {
    const { clock, table, fib } = await rig();
    fib.set(A, via('192.0.2.1'));
    await fib.idle();
    table.routes.clear();
    clock.advance(60_000);
    await fib.idle();
    expect(table.ours()).to.deep.equal({ '10.1.0.0/24': '192.0.2.1' });
  });

  it('ends where it should from any sequence of wishes, strangers and refusals', async () => {
    const prefixes = ['10.1.0.0/24', '10.2.0.0/24', 'fd00:1::/64'].map(p);
    const step = fc.record({
      act: fc.constantFrom(
        'set',
        'set',
        'set',
        'unset',
        'stranger',
        'stranger leaves',
        'vandal',
        'block',
        'unblock',
        'moment',
        'moment',
        'look',
        'hurry',
        'wait',
      ),
      prefix: fc.constantFrom(...prefixes),
      entry: fc.constantFrom<ForwardingEntry>(
        BLACKHOLE,
        via('192.0.2.1'),
        via('192.0.2.2'),
        via('192.0.2.1', '192.0.2.2'),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom(1, 2, 256),
        async (steps, batch) => {
          const { clock, table, fib } = await rig(
            (table) => table.put(prefixes[0] as Prefix, 'ours', via('192.0.2.9')),
            { batch },
          );
          fib.complete('ipv4-unicast');
          fib.complete('ipv6-unicast');
          const wanted = new Map<string, ForwardingEntry>();
          const strangers = new Set<string>();
          for (const { act, prefix, entry } of steps) {
            const key = prefix.toString();
            if (act === 'set') {
              wanted.set(key, entry);
              fib.set(prefix, entry);
            } else if (act === 'unset') {
              wanted.delete(key);
              fib.set(prefix, undefined);
            } else if (act === 'stranger' && !table.routes.has(key)) {
              strangers.add(key);
              table.put(prefix, 'other');
              fib.observe(prefix, 'other', 'new');
            } else if (act === 'stranger leaves' && strangers.delete(key)) {
              table.routes.delete(key);
              fib.observe(prefix, 'other', 'deleted');
            } else if (act === 'vandal' && table.routes.get(key)?.owner === 'ours') {
              await fib.idle();
              if (table.routes.get(key)?.owner === 'ours') table.routes.delete(key);
              fib.observe(prefix, 'ours', 'deleted');
            } else if (act === 'block') table.unreachable.add('192.0.2.1');
            else if (act === 'unblock') table.unreachable.clear();
            else if (act === 'moment') await Promise.resolve();
            else if (act === 'look') fib.isHungry();
            else if (act === 'hurry') table.prompt = !table.prompt;
            else if (act === 'wait') await settled({ clock, fib });
          }
          table.unreachable.clear();
          await fib.idle();
          clock.advance(120_000);
          await fib.idle();
          fib.disturbed();
          await settled({ clock, fib });
          for (const prefix of prefixes) {
            const key = prefix.toString();
            const there = table.routes.get(key);
            if (strangers.has(key)) expect(there?.owner).to.equal('other');
            else
              expect(there?.entry, key).to.satisfy((e: ForwardingEntry | undefined) =>
                same(e, wanted.get(key)),
              );
          }
          await fib.close();
        },
      ),
      { numRuns: 200 },
    );
  });
});

function same(a: ForwardingEntry | undefined, b: ForwardingEntry | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
