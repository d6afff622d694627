import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { decodeMessage, encodeUpdates, notification, type Negotiated } from '../wire/index.ts';
import { endData, faultData } from './log-data.ts';

const SESSION: Negotiated = {
  peerAsn: 65001,
  peerRouterId: 1,
  internal: false,
  holdSeconds: 90,
  keepaliveSeconds: 30,
  families: ['ipv4-unicast'],
  fourOctetAs: true,
  extendedMessages: false,
  routeRefresh: true,
  enhancedRefresh: false,
  addPathReceive: [],
  addPathSend: [],
};

describe('what log lines say to programs', () => {
  it('names message, attribute, offset and action of the fault that decided', () => {
    const [bytes] = encodeUpdates(
      {
        type: 'update',
        unreach: [],
        reach: [
          {
            family: 'ipv4-unicast',
            nextHop: { address: Address.parse('10.0.0.1') as Address },
            nlri: [{ prefix: Prefix.parse('10.1.0.0/16') as Prefix }],
          },
        ],
        attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns: [65001] }] },
      },
      SESSION,
    );
    if (bytes === undefined) throw new Error('nothing encoded');
    const origin = 19 + 4;
    bytes[origin + 3] = 9;
    const decoded = decodeMessage(bytes, SESSION);
    if (!decoded.ok || decoded.message?.type !== 'update') throw new Error('not taken');
    const data = faultData(decoded.faults, bytes, decoded.message);
    expect(data).to.deep.include({
      message: 'update',
      attribute: 'ORIGIN (1)',
      action: 'treat-as-withdraw',
      faults: 1,
      prefixes: ['10.1.0.0/16'],
      prefixCount: 1,
      octets: Buffer.from(bytes).toString('hex'),
    });
    expect(faultData(decoded.faults, bytes)).to.deep.include({ action: 'session-reset' });
    expect(data.offset).to.be.within(origin, origin + 3);
    expect(data.source).to.match(/^RFC 7606/);
  });

  it('gives the codes of NOTIFICATIONs', () => {
    const sent = notification(6, 2);
    expect(endData({ cause: 'notification-sent', sent, reason: 'x', counts: true })).to.deep.equal({
      action: 'notification-sent',
      sent: '6/2',
    });
    expect(endData({ cause: 'connection-lost', reason: 'x', counts: true })).to.deep.equal({
      action: 'connection-lost',
    });
  });
});
