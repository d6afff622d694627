import { expect } from 'chai';
import { decodeMessage } from '../message.ts';
import { EXTERNAL, update } from '../testing/octets.ts';

const GLOBAL = '20010db8000900000000000000000001';
const LINK_LOCAL = 'fe800000000000000000000000000009';
const OTHERS = '40 01 01 00 40 02 06 02 01 0000fde9';

/** As read from MP_REACH_NLRI: the addresses, joined by a slash. */
function hopOf(octets: string): string | undefined {
  const length = (octets.length / 2).toString(16);
  const total = (octets.length / 2 + 10).toString(16);
  const attributes = `80 0e ${total} 0002 01 ${length} ${octets} 00 20 20010db8 ${OTHERS}`;
  const decoded = decodeMessage(update({ attributes }), EXTERNAL);
  if (!decoded.ok || decoded.message?.type !== 'update') return undefined;
  const hop = decoded.message.reach[0]?.nextHop;
  return hop && [hop.address, hop.linkLocal ?? []].flat().join('/');
}

describe('the next hop of IPv6 (RFC 2545 §3)', () => {
  it('is a global address, or one with a link-local one after it', () => {
    expect(hopOf(GLOBAL)).to.equal('2001:db8:9::1');
    expect(hopOf(GLOBAL + LINK_LOCAL)).to.equal('2001:db8:9::1/fe80::9');
  });

  it('is the link-local address where the global one says nothing', () => {
    expect(hopOf('00'.repeat(16) + LINK_LOCAL)).to.equal('fe80::9');
  });

  it('is the first address alone where the second is no link-local one', () => {
    expect(hopOf(GLOBAL + GLOBAL)).to.equal('2001:db8:9::1');
    expect(hopOf(GLOBAL + '00'.repeat(16))).to.equal('2001:db8:9::1');
  });
});
