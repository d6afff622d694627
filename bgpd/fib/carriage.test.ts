/** Tunnels and the handing over of routes between bgpd and felix-lite when the mode of a pool changes. */
import { expect } from 'chai';
import { type PoolRouting, poolRoutings } from '../../api/index.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { pool } from '../cluster/testing.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import { Fib } from './fib.ts';
import { SimulatedTable } from './testing.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const via = (...gateways: string[]): ForwardingEntry => ({
  type: 'unicast',
  gateways: gateways.map((text) => Address.parse(text) ?? expect.fail(text)),
});
const BLOCK = p('10.244.1.0/26');
const SUBNET = p('192.0.2.0/24');

const pools = (spec: object): readonly PoolRouting[] => poolRoutings([pool('10.244.0.0/16', spec)]);

async function rig(): Promise<{ clock: SimulatedClock; table: SimulatedTable; fib: Fib }> {
  const clock = new SimulatedClock();
  const table = new SimulatedTable();
  const fib = await Fib.open(table, clock);
  fib.complete('ipv4-unicast');
  return { clock, table, fib };
}

describe('routes of pools', () => {
  it('go through the tunnel to every next hop with Always, to those of other subnets with CrossSubnet', async () => {
    const { table, fib } = await rig();
    fib.carry({ pools: pools({ ipipMode: 'Always' }), subnet: SUBNET });
    fib.set(BLOCK, via('192.0.2.2', '198.51.100.2'));
    fib.set(p('203.0.113.0/24'), via('192.0.2.2'));
    await fib.idle();
    expect(table.ours()).to.deep.equal({
      '10.244.1.0/26': '192.0.2.2@tunl0 198.51.100.2@tunl0',
      '203.0.113.0/24': '192.0.2.2',
    });
    fib.carry({ pools: pools({ ipipMode: 'CrossSubnet' }), subnet: SUBNET });
    await fib.idle();
    expect(table.ours()['10.244.1.0/26']).to.equal('192.0.2.2 198.51.100.2@tunl0');
    expect(table.log.at(-1), 'in one step').to.match(/^replace/);
  });

  it('stay where they are when felix-lite is to write them, until it has', async () => {
    const { clock, table, fib } = await rig();
    fib.set(BLOCK, via('192.0.2.2'));
    await fib.idle();
    const before = table.log.length;
    fib.carry({ pools: pools({ vxlanMode: 'Always' }), subnet: SUBNET });
    await fib.idle();
    expect(table.log.slice(before)).to.deep.equal([]);
    expect(fib.status(BLOCK)?.state).to.equal('yielded');
    table.put(BLOCK, 'kin', via('192.0.2.2'));
    fib.observe(BLOCK, 'kin', 'new');
    clock.advance(50);
    await fib.idle();
    expect(table.log.slice(before)).to.deep.equal([]);
    fib.carry({ pools: pools({}), subnet: SUBNET });
    await fib.idle();
    expect(table.log.slice(before), 'and back').to.deep.equal(['replace 10.244.1.0/26 192.0.2.2']);
    expect(fib.status(BLOCK)).to.deep.equal({ state: 'installed' });
  });

  it('go when BGP withdraws them, although they wait for felix-lite', async () => {
    const { table, fib } = await rig();
    fib.set(BLOCK, via('192.0.2.2'));
    await fib.idle();
    fib.carry({ pools: pools({ vxlanMode: 'Always' }), subnet: SUBNET });
    fib.set(BLOCK, undefined);
    await fib.idle();
    expect(table.ours()).to.deep.equal({});
  });

  it('are nobody’s where both daemons were told to leave them', () => {
    const [routing] = poolRoutings([pool('10.244.0.0/16')], { bgp: 'EnabledIPIPOnly' });
    expect(routing?.writer).to.equal('nobody');
    const [ipip] = poolRoutings([pool('10.244.0.0/16', { ipipMode: 'Always' })], { felix: 'Enabled' });
    expect(ipip?.writer).to.equal('felix');
  });
});
