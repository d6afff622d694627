import { expect } from 'chai';
import type { PathAttributes } from '../wire/types.ts';
import {
  addCommunity,
  type Community,
  fitsSome,
  parseCommunity,
  parseCommunityPattern,
  patternOf,
  removeCommunities,
} from './community.ts';

const community = (text: string): Community => parseCommunity(text) ?? expect.fail(text);
const bare: PathAttributes = { origin: 'IGP', asPath: [] };
const carrying = (...texts: string[]): PathAttributes => texts.map(community).reduce(addCommunity, bare);

/** Pattern, communities that fit it, communities that do not. */
const patterns: [string, string[], string[]][] = [
  ['65001:100', ['65001:100'], ['65001:101', '65002:100', '65001:0:100', 'rt:65001:100']],
  ['65001:*', ['65001:0', '65001:65535'], ['65000:0', '65001:1:1']],
  ['65001:100-199', ['65001:100', '65001:199'], ['65001:99', '65001:200']],
  ['*:666', ['1:666', '65535:666'], ['1:667']],
  ['no-export', ['65535:65281'], ['65535:65282']],
  ['blackhole', ['65535:666'], ['65535:665']],
  ['4200000000:*:7', ['4200000000:1:7', '4200000000:4294967295:7'], ['4200000000:1:8', '1:1:7']],
  ['1-2:0:*', ['1:0:9', '2:0:0'], ['3:0:0', '1:1:0']],
  ['rt:65001:100', ['rt:65001:100', 'ext:0x0002fde900000064'], ['rt:65001:101', 'soo:65001:100']],
  ['rt:65001:*', ['rt:65001:4294967295'], ['ext:0x4002fde900000064', 'rt:65002:1']],
  ['rt:4200000000:7', ['ext:0x0202fa56ea000007'], ['rt:60000:7']],
  ['rt:*:100', ['rt:65001:100', 'rt:4200000000:100', 'rt:192.0.2.1:100'], ['rt:65001:101']],
  ['soo:192.0.2.1:7', ['ext:0x0103c00002010007'], ['soo:192.0.2.2:7', 'rt:192.0.2.1:7']],
  ['ext:0xffffffffffffffff', ['ext:0xffffffffffffffff'], ['ext:0xfffffffffffffffe']],
];

const malformed = [
  '',
  ':',
  '65001',
  '65536:1',
  '1:65536',
  '1:2:3:4',
  '1:2:4294967296',
  '1::2',
  '-1:2',
  '5-4:1',
  '1:2-',
  '0x1:2',
  'rt:1',
  'rt:1:2:3',
  'rt:4200000000:65536',
  'rt:192.0.2.1:65536',
  'rt:2001:db8::1:5',
  'rt:300.0.2.1:5',
  'ext:0x12',
  'ext:0002fde900000064',
  'no-exports',
  'toString',
  'constructor:1',
];

describe('communities in policy', () => {
  for (const [text, fitting, others] of patterns)
    it(`${text} fits ${fitting.join(', ')} and not ${others.join(', ')}`, () => {
      const pattern = parseCommunityPattern(text) ?? expect.fail(text);
      for (const each of fitting) expect(fitsSome(carrying(each), pattern), each).to.equal(true);
      for (const each of others) expect(fitsSome(carrying(each), pattern), each).to.equal(false);
      expect(fitsSome(bare, pattern)).to.equal(false);
    });

  it('reads nothing else', () => {
    expect(malformed.filter((text) => parseCommunityPattern(text) !== undefined)).to.deep.equal([]);
    const several = ['65001:*', '65001:1-2', '*:*', '1:*:3', 'rt:*:1', 'rt:1:*'];
    expect(several.filter((text) => parseCommunity(text) !== undefined)).to.deep.equal([]);
  });

  it('makes of a community the pattern that fits it alone', () => {
    for (const text of ['65535:65535', '1:2:3', 'rt:65001:100', 'rt:4200000000:7', 'soo:192.0.2.1:7'])
      expect(fitsSome(carrying(text), patternOf(community(text))), text).to.equal(true);
    expect(fitsSome(carrying('1:2:3'), patternOf(community('1:2:4')))).to.equal(false);
  });

  it('writes extended communities in the octets of RFC 4360, 5668 and their IPv4 form', () => {
    const { extendedCommunities } = carrying('rt:65001:100', 'rt:4200000000:7', 'soo:192.0.2.1:7');
    expect(extendedCommunities?.map((value) => value.toString(16).padStart(16, '0'))).to.deep.equal([
      '0002fde900000064',
      '0202fa56ea000007',
      '0103c00002010007',
    ]);
  });

  it('adds each community once, behind those that are there', () => {
    const twice = carrying('1:1', '2:2', '1:1', '1:1:1', '1:1:1', 'rt:1:1', 'rt:1:1');
    expect(twice).to.deep.equal({
      ...bare,
      communities: [0x0001_0001, 0x0002_0002],
      largeCommunities: [{ global: 1, local1: 1, local2: 1 }],
      extendedCommunities: [0x0002_0001_0000_0001n],
    });
    expect(addCommunity(twice, community('2:2'))).to.equal(twice);
  });

  it('removes by pattern, an empty attribute altogether, and leaves the same object where nothing fits', () => {
    const all = carrying('1:1', '1:2', '2:1', '1:1:1', 'rt:1:1', 'soo:1:1');
    const remove = (...texts: string[]): PathAttributes =>
      removeCommunities(
        all,
        texts.map((text) => parseCommunityPattern(text) ?? expect.fail(text)),
      );
    expect(remove('1:*')).to.deep.equal(carrying('2:1', '1:1:1', 'rt:1:1', 'soo:1:1'));
    expect(remove('*:*', '*:*:*', 'rt:*:*', 'soo:*:*')).to.deep.equal(bare);
    expect(remove('3:*', 'rt:2:*')).to.equal(all);
  });
});
