import { expect } from 'chai';
import { decodeMessage } from './message.ts';
import { cease, encodeNotification, formatNotification, notification, shutdownText } from './notification.ts';
import { framed, octets } from './testing/octets.ts';

function textOf(data: string): string | undefined {
  return shutdownText(notification(6, 2, octets(data)));
}

describe('the text of a shutdown (RFC 9003)', () => {
  it('is as long as its length says', () => {
    expect(textOf('02 6869')).to.equal('hi');
    expect(textOf('01 6869')).to.equal('h');
  });

  it('is none where the length is 0 or beyond the message', () => {
    expect(textOf('00')).to.equal(undefined);
    expect(textOf('00 6869')).to.equal(undefined);
    expect(textOf('03 6869')).to.equal(undefined);
    expect(textOf('ff 6869')).to.equal(undefined);
    expect(textOf('')).to.equal(undefined);
  });

  it('is none where it is not UTF-8', () => {
    expect(textOf('02 c328')).to.equal(undefined);
  });

  it('is shown without control characters', () => {
    const shown = formatNotification(notification(6, 2, octets('06 61 00 0a 1b 62 7f')));
    expect(shown).to.equal('Cease / Administrative Shutdown (6/2): "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}"');
  });

  it('is cut at a character when too long, never in one', () => {
    const { data } = cease(2, 'ä'.repeat(200));
    expect(data[0]).to.equal(254);
    expect(shutdownText(cease(2, 'ä'.repeat(200)))).to.equal('ä'.repeat(127));
  });

  it('belongs to administrative shutdown and reset alone', () => {
    expect(shutdownText(notification(6, 4, octets('01 61')))).to.equal('a');
    expect(shutdownText(notification(6, 3, octets('01 61')))).to.equal(undefined);
    expect(shutdownText(notification(3, 2, octets('01 61')))).to.equal(undefined);
  });
});

describe('BoRR and EoRR of a wrong length', () => {
  for (const subtype of [1, 2]) {
    it(`are answered with the whole message (subtype ${subtype}, RFC 7313 §5)`, () => {
      const bytes = framed(5, `0001 0${subtype} 01 00`);
      const decoded = decodeMessage(bytes, undefined);
      expect(!decoded.ok && decoded.notification).to.deep.equal(notification(7, 1, bytes));
      expect(!decoded.ok && encodeNotification(decoded.notification)).to.have.lengthOf(21 + bytes.length);
    });
  }
});
