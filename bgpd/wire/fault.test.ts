import { expect } from 'chai';
import { formatFaults } from './fault.ts';
import { decodeMessage } from './message.ts';
import { EXTERNAL, update } from './testing/octets.ts';

const SOUND = '40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 c0000201';

function said(attributes: string): string {
  const decoded = decodeMessage(update({ attributes, nlri: '18 c63364' }), EXTERNAL);
  return decoded.ok ? formatFaults(decoded.faults) : '';
}

describe('formatFaults', () => {
  it('says nothing of a sound message', () => {
    expect(said(SOUND)).to.equal('');
  });

  it('names the fault that decides first', () => {
    expect(said(`${SOUND} 40 06 01 00 80 04 03 000001`)).to.equal(
      'MULTI_EXIT_DISC (4) at offset 50: length is not 4; treat-as-withdraw (RFC 7606 §7.4); ' +
        'ATOMIC_AGGREGATE (6) at offset 46: length is not 0; attribute-discard (RFC 7606 §7.6)',
    );
  });

  it('stays one line of bounded length, however many faults there are', () => {
    const line = said(`${SOUND} ${'c0 63 00 '.repeat(1_000)}`);
    expect(line).to.match(/; and 996 more$/);
    expect(line.length).to.be.below(500);
  });
});
