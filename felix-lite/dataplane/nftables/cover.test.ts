import { expect } from 'chai';
import * as fc from 'fast-check';
import { Address, Prefix } from '../../../net/addr/index.ts';
import { PrefixCover } from './cover.ts';

function text(prefix: Prefix): string {
  return prefix.isHost ? prefix.address.toString() : prefix.toString();
}

describe('outermost prefixes', () => {
  it('are those that lie in no other', () => {
    const cover = new PrefixCover();
    expect(cover.add('10.0.0.1')).to.deep.equal({ appear: ['10.0.0.1'], vanish: [] });
    expect(cover.add('10.0.0.0/24')).to.deep.equal({ appear: ['10.0.0.0/24'], vanish: ['10.0.0.1'] });
    expect(cover.add('10.0.0.2')).to.deep.equal({ appear: [], vanish: [] });
    expect(cover.add('10.0.0.0/30')).to.deep.equal({ appear: [], vanish: [] });
    expect(cover.delete('10.0.0.0/24')).to.deep.equal({ appear: ['10.0.0.0/30'], vanish: ['10.0.0.0/24'] });
    expect(cover.delete('10.0.0.0/30')).to.deep.equal({
      appear: ['10.0.0.1', '10.0.0.2'],
      vanish: ['10.0.0.0/30'],
    });
  });

  const v4 = fc
    .tuple(fc.nat(0xfff), fc.constantFrom(0, 1, 8, 20, 22, 24, 27, 30, 31, 32))
    .map(([host, length]) => text(Prefix.of(Address.v4(0x0a000000 + host), length)));
  const v6 = fc
    .tuple(fc.nat(0xff), fc.constantFrom(1, 32, 112, 120, 124, 127, 128))
    .map(([host, length]) => text(Prefix.of(Address.v6(0xfd000000, 0, 0, host), length)));

  for (const [name, member] of [
    ['IPv4', v4],
    ['IPv6', v6],
  ] as const)
    it(`change as told, whatever comes and goes (${name})`, () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(member, fc.boolean()), { maxLength: 60 }), (steps) => {
          const cover = new PrefixCover();
          const told = new Set<string>();
          const members = new Set<string>();
          for (const [each, add] of steps) {
            const { appear, vanish } = add ? cover.add(each) : cover.delete(each);
            if (add) members.add(each);
            else members.delete(each);
            for (const gone of vanish) if (!told.delete(gone)) throw new Error(`${gone} was not there`);
            for (const came of appear) told.add(came);
          }
          const prefixes = [...members].map(
            (each) => Prefix.parse(each) ?? Prefix.host(Address.parse(each) ?? Address.v4(0)),
          );
          const outermost = prefixes
            .filter((each) => !prefixes.some((other) => other.length < each.length && other.contains(each)))
            .map(text);
          expect([...told].toSorted()).to.deep.equal(outermost.toSorted());
          expect([...cover.outermost()].toSorted()).to.deep.equal(outermost.toSorted());
        }),
        { numRuns: 300 },
      );
    });
});
