import { expect } from 'chai';
import fc from 'fast-check';
import { Address } from '../../net/addr/index.ts';
import { parseCommunityPattern } from '../filter/community.ts';
import { plainCapability } from './format-capability.ts';
import {
  WELL_KNOWN_COMMUNITIES,
  formatAsPath,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  plainAttributes,
} from './format.ts';

describe('attributes for people', () => {
  it('write every kind of AS_PATH segment as BIRD and FRR do', () => {
    expect(
      formatAsPath([
        { type: 'confed-sequence', asns: [65100, 65101] },
        { type: 'confed-set', asns: [1, 2] },
        { type: 'sequence', asns: [65001, 4_200_000_000] },
        { type: 'set', asns: [7, 8] },
      ]),
    ).to.equal('(65100 65101) (1,2) 65001 4200000000 {7,8}');
  });

  const extended = [
    { value: 0x0002_fde8_0000_0007n, text: 'rt:65000:7' },
    { value: 0x0102_c000_0201_0007n, text: 'rt:192.0.2.1:7' },
    { value: 0x0203_fa56_ea00_0007n, text: 'soo:4200000000:7' },
    { value: 0x4004_0000_0000_0001n, text: '0x4004000000000001' },
    { value: 0xffff_ffff_ffff_ffffn, text: '0xffffffffffffffff' },
  ];
  for (const { value, text } of extended) {
    it(`write an extended community as ${text}`, () => expect(formatExtendedCommunity(value)).to.equal(text));
  }

  it('write communities so that filters read them', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff), (global, local1, local2) => {
        expect(parseCommunityPattern(formatCommunity(global))).to.not.equal(undefined);
        expect(parseCommunityPattern(formatLargeCommunity({ global, local1, local2 }))).to.not.equal(
          undefined,
        );
      }),
    );
    for (const [name, value] of WELL_KNOWN_COMMUNITIES) expect(formatCommunity(value)).to.equal(name);
  });

  it('leave out what is absent, and keep all that is there', () => {
    expect(plainAttributes({ origin: 'IGP', asPath: [] })).to.deep.equal({ origin: 'IGP', asPath: '' });
    expect(
      plainAttributes({
        origin: 'incomplete',
        asPath: [{ type: 'sequence', asns: [1] }],
        med: 0,
        localPref: 0,
        atomicAggregate: true,
        aggregator: { asn: 7, address: Address.v4(0x0a000001) },
        communities: [0xffffff01, 0xfde80007],
        originatorId: 0xc0000201,
        clusterList: [1],
        extendedCommunities: [0x0002_fde8_0000_0007n],
        largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
        aigp: { metric: 2n ** 63n },
        unknown: [{ flags: 0xe0, code: 99, value: Uint8Array.of(1, 255) }],
      }),
    ).to.deep.equal({
      origin: 'incomplete',
      asPath: '1',
      med: 0,
      localPref: 0,
      atomicAggregate: true,
      aggregator: { asn: 7, address: '10.0.0.1' },
      communities: ['no-export', '65000:7'],
      originatorId: '192.0.2.1',
      clusterList: ['0.0.0.1'],
      extendedCommunities: ['rt:65000:7'],
      largeCommunities: ['1:2:3'],
      aigp: '9223372036854775808',
      unknown: [{ code: 99, flags: '0xe0', value: '01ff' }],
    });
  });

  it('name capabilities, those too that we carry as octets alone', () => {
    expect(plainCapability({ code: 1, afi: 25, safi: 70 })).to.deep.equal({
      code: 1,
      name: 'multiprotocol',
      family: 'l2vpn-evpn',
    });
    expect(plainCapability({ code: 'unknown', number: 73, value: Uint8Array.of(1) })).to.deep.equal({
      code: 73,
      name: 'fqdn',
      value: '01',
    });
    expect(plainCapability({ code: 'unknown', number: 200, value: Uint8Array.of() })).to.deep.equal({
      code: 200,
      name: 'unknown',
    });
  });
});
