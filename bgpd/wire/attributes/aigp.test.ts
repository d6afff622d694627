/** AIGP, RFC 7311: on the wire, where it was not switched on, and what it does to decision and export. */
import { expect } from 'chai';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { exportPath, type ExportContext } from '../../filter/export.ts';
import { ACCEPT_ALL } from '../../filter/policy.ts';
import { AttributePool } from '../../rib/attributes.ts';
import { decide, DEFAULT_DECISION, explain } from '../../rib/decision.ts';
import { pathOf } from '../../rib/testing/sketch.ts';
import { decodeCanonical, encodeCanonical } from '../canonical.ts';
import { decodeAttributes } from '../decode-attributes.ts';
import { encodeAttributes } from '../encode-update.ts';
import { Reader } from '../reader.ts';
import { EXTERNAL } from '../testing/octets.ts';
import type { Negotiated, PathAttributes } from '../types.ts';

const ON: Negotiated = { ...EXTERNAL, aigp: true };
const PLAIN: PathAttributes = { origin: 'IGP', asPath: [{ type: 'sequence', asns: [7] }] };
const METRIC = '01000b0000000100000002';

/** Flags 0x80 and code 26 in front. */
const attribute = (value: string, flags = '80'): Buffer =>
  Buffer.from(`${flags}1a${(value.length / 2).toString(16).padStart(2, '0')}${value}`, 'hex');

function decode(octets: Uint8Array, session: Negotiated) {
  const { values, faults } = decodeAttributes(new Reader(octets), session);
  return { aigp: values.aigp, unknown: values.unknown, faults: faults.map(({ check }) => check.outcome) };
}

/** The metric that an external peer is told of a path, with 10 where nothing else is said. */
function told(
  nextHop: ExportContext['nextHop'],
  interiorCost: number,
  aigp: bigint = 10n,
): bigint | undefined {
  const path = pathOf(new AttributePool(), { kind: 'internal', aigp, interiorCost });
  const exported = exportPath(Prefix.parse('10.0.0.0/8') ?? expect.fail(), path, {
    peerKind: 'external',
    reflectorClient: false,
    localAsn: 65001,
    clusterId: 1,
    nextHop,
    self: { 4: Address.parse('192.0.2.7') },
    policy: ACCEPT_ALL,
  });
  return exported.send ? exported.attributes.aigp?.metric : undefined;
}

describe('AIGP', () => {
  const cases: readonly [what: string, value: string, metric: bigint | undefined, others?: string][] = [
    ['a metric of 64 bits', METRIC, 0x1_0000_0002n],
    [
      'the first of two metrics, the other kept as it came (RFC 7311 §3)',
      `${METRIC}01000b0000000000000009`,
      0x1_0000_0002n,
      '01000b0000000000000009',
    ],
    [
      'TLVs of other types beside it, kept as they came',
      `070004ff${METRIC}080003`,
      0x1_0000_0002n,
      '070004ff080003',
    ],
    ['the highest metric that counts', `01000b${'f'.repeat(15)}e`, 0xffff_ffff_ffff_fffen],
    ['the highest metric there is (RFC 7311 §3.2)', `01000b${'f'.repeat(16)}`, undefined],
    ['nothing', '', undefined],
    ['other TLVs alone', '070004ff', undefined],
    ['a metric of 7 octets', '01000a00000000000000', undefined],
    ['a length below the header', '010002', undefined],
    ['a length of 0, which must not loop', '07000007000007000007', undefined],
    ['a length past the attribute', '01000c0000000000000000', undefined],
    ['half a header', '0100', undefined],
  ];
  for (const [what, value, metric, others] of cases)
    it(`${what}: ${metric === undefined ? 'discarded' : 'taken'}`, () => {
      const decoded = decode(attribute(value), ON);
      expect(decoded.aigp?.metric).to.equal(metric);
      expect(Buffer.from(decoded.aigp?.others ?? []).toString('hex')).to.equal(others ?? '');
      expect(decoded.faults).to.deep.equal(metric === undefined ? ['attribute-discard'] : []);
    });

  it('is dropped where it is marked transitive (RFC 7311 §3.2), the routes are where it is not optional', () => {
    expect(decode(attribute(METRIC, 'c0'), ON)).to.deep.include({
      aigp: undefined,
      faults: ['attribute-discard'],
    });
    for (const flags of ['00', '40'])
      expect(decode(attribute(METRIC, flags), ON).faults).to.deep.equal(['treat-as-withdraw']);
  });

  it('is ignored where it was not switched on, malformed or transitive or not, and not sent', () => {
    for (const octets of [attribute(METRIC), attribute('0100'), attribute(METRIC, 'c0')])
      expect(decode(octets, EXTERNAL)).to.deep.equal({ aigp: undefined, unknown: undefined, faults: [] });
    const withMetric = { ...PLAIN, aigp: { metric: 5n } };
    expect(encodeAttributes(withMetric, EXTERNAL)).to.deep.equal(encodeAttributes(PLAIN, EXTERNAL));
    expect(encodeAttributes(withMetric, ON)).to.not.deep.equal(encodeAttributes(PLAIN, ON));
  });

  it('is kept in RIBs', () => {
    const attributes = { ...PLAIN, aigp: { metric: 0xffff_ffff_ffff_fffen, others: Uint8Array.of(7, 0, 3) } };
    const octets = encodeCanonical(attributes);
    expect(decodeCanonical(octets, 0, octets.length)).to.deep.equal(attributes);
    for (const metric of [0x1_0000_0002n, 0xffff_ffff_ffff_fffen])
      expect(new AttributePool().intern({ ...PLAIN, aigp: { metric } }).aigp).to.equal(metric);
  });

  it('decides before AS_PATH unless the decision is told not to look at it, with the way to the next hop added', () => {
    const pool = new AttributePool();
    const cheap = pathOf(pool, { id: 1, aigp: 10, interiorCost: 5, asPath: [7, 8, 9] });
    const near = pathOf(pool, { id: 2, aigp: 14, interiorCost: 0, asPath: [7, 8, 9] });
    const short = pathOf(pool, { id: 3, asPath: [7] });
    const paths = [cheap, near, short];
    expect(decide(paths, { ...DEFAULT_DECISION, aigp: false }).best).to.equal(short);
    const options = DEFAULT_DECISION;
    expect(decide(paths, options).best).to.equal(near);
    expect(explain(paths, options).get(cheap)).to.equal('lower AIGP');
    expect(explain(paths, options).get(short)).to.equal('lower AIGP');
  });

  it('ends at the highest metric there is, and does not begin anew (RFC 7311 §3.4.3)', () => {
    const highest = 0xffff_ffff_ffff_ffffn;
    expect(told('self', 5, highest - 3n)).to.equal(highest);
    expect(told('self', 3, highest - 4n)).to.equal(highest - 1n);
  });

  it('grows by the way to the next hop where we become the next hop, and only there', () => {
    expect(told('self', 5)).to.equal(15n);
    expect(told('keep', 5)).to.equal(10n);
    // RFC 7311 §3.4.3: a direct link without an IGP costs something, too.
    expect(told('self', 0)).to.equal(11n);
    expect(told('keep', 0)).to.equal(10n);
  });
});
