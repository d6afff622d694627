/** What WireGuard between nodes themselves needs of the raw table: the chain of Calico's name, at Calico's place. */
import { expect } from 'chai';
import { allocateMarks } from './marks.ts';
import { staticChains, type StaticOptions } from './static.ts';
import type { TunnelOptions } from './tunnels.ts';
import type { Rule } from './types.ts';

const marks = allocateMarks() ?? expect.fail();
const MARK = 0x20_0000;
const encryptsHosts = { mark: MARK, interfaces: ['wireguard.cali', 'wg-v6.cali'] };

function rawOf(tunnels: TunnelOptions): ReadonlyMap<string, readonly Rule[]> {
  const options: StaticOptions = {
    marks,
    interfacePrefix: 'cali',
    endpointToHost: 'Drop',
    failsafes: { inbound: [], outbound: [] },
    sourceSpoofing: false,
    tunnels,
  };
  return new Map((staticChains(4, options).get('raw') ?? []).map(({ name, rules }) => [name, rules]));
}

describe('marks of what comes to a node that encrypts its own packets', () => {
  const tunnels = { ipip: false, vxlan: { 4: 4789 }, wireguard: { 4: 51_820 } };

  it('are set on what comes by neither the tunnel nor a workload, before all else', () => {
    const raw = rawOf({ ...tunnels, encryptsHosts });
    const text = raw
      .get('cali-wireguard-incoming-mark')
      ?.map(({ matches: [only], verdict }) =>
        only?.kind === 'in-interface' ? `${only.name} ${verdict?.kind}` : verdict,
      );
    expect(text).to.deep.equal([
      'lo return',
      'wireguard.cali return',
      'wg-v6.cali return',
      'cali+ return',
      { kind: 'set-mark', value: MARK, mask: MARK },
    ]);
    const kinds = raw.get('cali-PREROUTING')?.map(({ verdict }) => verdict?.kind);
    expect(kinds?.slice(0, 3)).to.deep.equal(['clear-mark', 'jump', 'notrack']);
    expect(marks.all & MARK, 'a bit that later rules leave alone').to.equal(0);
  });

  it('are not set where nodes speak in plain', () => {
    expect([...rawOf(tunnels).keys()]).not.to.include('cali-wireguard-incoming-mark');
  });
});
