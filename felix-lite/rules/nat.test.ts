import { expect } from 'chai';
import type { AddressPair } from '../calc/model.ts';
import { floatingChains, natChains, natHooks, type NatOptions, natVersions } from './nat.ts';

const NONE: NatOptions = { masquerade: [], spareHosts: false, floatingIps: false };

const pair = (internal: string, external: string): AddressPair => ({
  version: internal.includes(':') ? 6 : 4,
  internal,
  external,
});

type ChainRule = ReturnType<typeof floatingChains>[number]['rules'][number];

function text({ matches, verdict }: ChainRule): string {
  const [match] = matches;
  const to = verdict !== undefined && 'address' in verdict ? verdict.address : '';
  return `${match?.kind === 'net' ? match.net : ''} -> ${to}`;
}

/** `from -> to` of each rule of the chains for IPv4, by chain. */
function told(pairs: readonly AddressPair[]): Record<string, string[]> {
  return Object.fromEntries(floatingChains(pairs, 4).map(({ name, rules }) => [name, rules.map(text)]));
}

const verdicts = (options: Partial<NatOptions>, version: 4 | 6 = 4): string[] =>
  (natChains(version, { ...NONE, masquerade: [4, 6], ...options }) ?? [])
    .filter(({ name }) => name === 'cali-nat-outgoing')
    .flatMap(({ rules }) => rules.map(({ verdict }) => JSON.stringify(verdict)));

/** Of each rule that masquerades: whether it looks at the addresses of nodes. */
const spared = (options: Partial<NatOptions>): readonly boolean[] =>
  (natChains(6, { ...NONE, masquerade: [6], ...options }) ?? [])
    .filter(({ name }) => name === 'cali-nat-outgoing')
    .flatMap(({ rules }) => rules)
    .map(({ matches }) => JSON.stringify(matches).includes('all-hosts-net'));

describe('chains of table nat', () => {
  it('spare what goes to nodes, too, where natOutgoingExclusions says so', () => {
    expect(spared({})).to.deep.equal([false]);
    expect(spared({ spareHosts: true })).to.deep.equal([true]);
    const ranged = spared({ spareHosts: true, ports: { first: 1000, last: 2000 } });
    expect(ranged.every(Boolean), ranged.join()).to.equal(true);
  });

  it('are none where nothing changes', () => {
    expect(natChains(4, NONE)).to.equal(undefined);
    expect([natHooks(NONE), natVersions(NONE)]).to.deep.equal([[], []]);
  });

  it('stand in the versions that have something to masquerade, and in both for floating IPs', () => {
    expect(natVersions({ ...NONE, masquerade: [6] })).to.deep.equal([6]);
    expect(natHooks({ ...NONE, masquerade: [6] })).to.deep.equal(['POSTROUTING']);
    expect(natChains(4, { ...NONE, masquerade: [6] })).to.deep.equal([
      { name: 'cali-POSTROUTING', rules: [] },
    ]);
    expect(natVersions({ ...NONE, floatingIps: true })).to.deep.equal([4, 6]);
    expect(natHooks({ ...NONE, floatingIps: true })).to.deep.equal(['PREROUTING', 'OUTPUT', 'POSTROUTING']);
  });

  it('masquerade, or take the address that is given, in IPv4 alone', () => {
    expect(verdicts({})).to.deep.equal(['{"kind":"masquerade"}']);
    expect(verdicts({ address: '192.0.2.9' })).to.deep.equal(['{"kind":"snat","address":"192.0.2.9"}']);
    expect(verdicts({ address: '192.0.2.9' }, 6)).to.deep.equal(['{"kind":"masquerade"}']);
  });

  it('limit ports for TCP and UDP, and only for them', () => {
    const limited = '{"kind":"masquerade","ports":{"first":1000,"last":2000}}';
    const back = '{"kind":"return"}';
    expect(verdicts({ ports: { first: 1000, last: 2000 } })).to.deep.equal([
      limited,
      back,
      limited,
      back,
      '{"kind":"masquerade"}',
    ]);
  });

  it('lead each floating IP to one workload, whatever the order of endpoints', () => {
    const pairs = [
      pair('10.0.0.2', '203.0.113.1'),
      pair('10.0.0.1', '203.0.113.1'),
      pair('10.0.0.1', '203.0.113.0'),
      pair('fd00::1', 'fd03::1'),
    ];
    const want = {
      'cali-fip-dnat': ['203.0.113.0 -> 10.0.0.1', '203.0.113.1 -> 10.0.0.1'],
      'cali-fip-snat': ['10.0.0.1 -> 203.0.113.0'],
    };
    expect(told(pairs)).to.deep.equal(want);
    expect(told(pairs.toReversed())).to.deep.equal(want);
  });
});
