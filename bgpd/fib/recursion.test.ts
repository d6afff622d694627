/** Next hops that are reached by routes of ours. */
import { expect } from 'chai';
import fc from 'fast-check';
import { poolRoutings } from '../../api/index.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { pool } from '../cluster/testing.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import { Fib } from './fib.ts';
import { SimulatedTable } from './testing.ts';
import type { Way } from './ways.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);
const via = (...gateways: string[]): ForwardingEntry => ({ type: 'unicast', gateways: gateways.map(at) });
const way = (prefix: string, ...gateways: string[]): Way => ({
  prefix: p(prefix),
  metric: 0,
  gateways: gateways.map(at),
});
const A = p('10.1.0.0/24');
const B = p('10.2.0.0/24');
const LOOPBACK = p('203.0.113.7/32');

interface Rig {
  readonly clock: SimulatedClock;
  readonly table: SimulatedTable;
  readonly fib: Fib;
}

async function rig(prepare: (table: SimulatedTable) => void): Promise<Rig> {
  const clock = new SimulatedClock();
  const table = new SimulatedTable();
  prepare(table);
  return { clock, table, fib: await Fib.open(table, clock) };
}

/** Until changes that are gathered have been acted upon. */
async function moment({ clock, fib }: Rig): Promise<void> {
  await fib.idle();
  clock.advance(50);
  await fib.idle();
}

describe('a next hop over a route that we learned ourselves', () => {
  it('is found whichever came first, and its changes are followed', async () => {
    const rigged = await rig((table) => {
      table.ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    });
    const { table, fib } = rigged;
    fib.set(A, via('203.0.113.7'));
    await moment(rigged);
    expect(table.ours()['10.1.0.0/24'], 'the default route').to.equal('192.0.2.254');
    fib.set(LOOPBACK, via('192.0.2.1', '192.0.2.2'));
    fib.set(B, via('203.0.113.7'));
    await moment(rigged);
    const both = '192.0.2.1 192.0.2.2';
    expect(table.ours()).to.include({ '10.1.0.0/24': both, '10.2.0.0/24': both });
    fib.set(LOOPBACK, via('192.0.2.2'));
    await moment(rigged);
    expect(table.ours()).to.include({ '10.1.0.0/24': '192.0.2.2', '10.2.0.0/24': '192.0.2.2' });
    fib.set(LOOPBACK, undefined);
    await moment(rigged);
    expect(table.ours()['10.1.0.0/24']).to.equal('192.0.2.254');
  });

  it('is found over one behind another', async () => {
    const rigged = await rig((table) => void (table.ways = [way('192.0.2.0/24')]));
    rigged.fib.set(A, via('203.0.113.7'));
    rigged.fib.set(LOOPBACK, via('198.51.100.1'));
    rigged.fib.set(p('198.51.100.0/24'), via('192.0.2.9'));
    await moment(rigged);
    expect(rigged.table.ours()).to.include({ '10.1.0.0/24': '192.0.2.9', '203.0.113.7/32': '192.0.2.9' });
  });

  it('is never found over itself, nor in a circle', async () => {
    const rigged = await rig((table) => {
      table.ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    });
    const { table, fib } = rigged;
    fib.set(p('203.0.113.0/24'), via('203.0.113.7'));
    fib.set(A, via('10.2.0.1'));
    fib.set(B, via('10.1.0.1'));
    await moment(rigged);
    expect(table.ours()).to.deep.equal({
      '203.0.113.0/24': '192.0.2.254',
      '10.1.0.0/24': '192.0.2.254',
      '10.2.0.0/24': '192.0.2.254',
    });
  });

  it('is not looked for on a connected subnet, nor in what pools carry', async () => {
    const rigged = await rig((table) => {
      table.ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    });
    const { table, fib } = rigged;
    fib.carry({ pools: poolRoutings([pool('203.0.113.0/24')]), subnet: undefined });
    fib.set(p('192.0.2.1/32'), via('192.0.2.9'));
    fib.set(LOOPBACK, via('192.0.2.9'));
    fib.set(A, via('192.0.2.1'));
    fib.set(B, via('203.0.113.7'));
    await moment(rigged);
    expect(table.ours()).to.include({ '10.1.0.0/24': '192.0.2.1', '10.2.0.0/24': '192.0.2.254' });
  });

  it('is found for more routes than one turn looks at, also when it changes meanwhile', async () => {
    const rigged = await rig((table) => {
      table.ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    });
    const { clock, table, fib } = rigged;
    const many = Array.from({ length: 5_000 }, (_, i) => Prefix.of(at('10.0.0.0').add(i * 64), 26));
    for (const prefix of many) fib.set(prefix, via('203.0.113.7'));
    await moment(rigged);
    fib.set(LOOPBACK, via('192.0.2.1'));
    clock.step();
    // Between two turns of the search.
    fib.set(LOOPBACK, via('192.0.2.2'));
    for (let turn = 0; turn < 10; turn++) await moment(rigged);
    expect(new Set(Object.values(table.ours()))).to.deep.equal(new Set(['192.0.2.2']));
    expect(Object.keys(table.ours())).to.have.length(many.length + 1);
  });

  it('that moves is repaired under 5,000 routes at once, each in one step and many to a batch', async () => {
    const rigged = await rig((table) => void (table.ways = [way('192.0.2.0/24')]));
    const { table, fib } = rigged;
    fib.set(LOOPBACK, via('192.0.2.1'));
    const many = Array.from({ length: 5_000 }, (_, i) => Prefix.of(at('10.0.0.0').add(i * 64), 26));
    for (const prefix of many) fib.set(prefix, via('203.0.113.7'));
    for (let turn = 0; turn < 10; turn++) await moment(rigged);
    expect(Object.keys(table.ours())).to.have.length(many.length + 1);
    table.log.length = 0;
    table.batches.length = 0;
    fib.set(LOOPBACK, via('192.0.2.2'));
    for (let turn = 0; turn < 10; turn++) await moment(rigged);
    expect(new Set(Object.values(table.ours()))).to.deep.equal(new Set(['192.0.2.2']));
    expect(table.log.filter((line) => !line.startsWith('replace '))).to.deep.equal([]);
    expect(table.log).to.have.length(many.length + 1);
    // That of the next hop itself, and then as many as a batch holds.
    expect(table.batches.length, table.batches.join(' ')).to.be.lessThan(10);
  });

  it('is found as if all had come at once, in whatever order they come', async () => {
    const prefixes = ['203.0.113.0/24', '203.0.113.7/32', '198.51.100.0/24', '10.1.0.0/24'].map(p);
    const hops = ['203.0.113.7', '203.0.113.9', '198.51.100.1', '192.0.2.1', '10.1.0.1'];
    const step = fc.tuple(
      fc.constantFrom(...prefixes),
      fc.option(fc.constantFrom(...hops), { nil: undefined }),
    );
    const ways = [way('192.0.2.0/24'), way('0.0.0.0/0', '192.0.2.254')];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const slowly = await rig((table) => void (table.ways = ways));
        const last = new Map<string, readonly [Prefix, string | undefined]>();
        slowly.fib.complete('ipv4-unicast');
        for (const [prefix, hop] of steps) {
          slowly.fib.set(prefix, hop === undefined ? undefined : via(hop));
          last.set(prefix.toString(), [prefix, hop]);
          await moment(slowly);
        }
        const atOnce = await rig((table) => void (table.ways = ways));
        for (const [prefix, hop] of last.values()) if (hop !== undefined) atOnce.fib.set(prefix, via(hop));
        await moment(atOnce);
        await moment(atOnce);
        expect(slowly.table.ours()).to.deep.equal(atOnce.table.ours());
        await slowly.fib.close();
        await atOnce.fib.close();
      }),
      { numRuns: 200 },
    );
  });
});
