import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { PrefixIndex } from './prefix-index.ts';

/** Few prefixes, so that they meet: neighbouring blocks of both versions, and the same address at several lengths. */
const anyPrefix = fc.oneof(
  fc
    .tuple(fc.nat(40), fc.constantFrom(24, 26, 32))
    .map(([n, length]) => Prefix.of(Address.v4(0x0af40000 + n * 64), length)),
  fc
    .tuple(fc.nat(40), fc.constantFrom(64, 122, 128))
    .map(([n, length]) => Prefix.of(Address.v6(0xfd000010, 0, 0, n * 64), length)),
);

describe('PrefixIndex', () => {
  it('gives one id to one prefix for as long as somebody owns it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyPrefix, fc.constantFrom('acquire', 'acquire', 'retain', 'release')), {
          maxLength: 300,
        }),
        (steps) => {
          const index = new PrefixIndex();
          const model = new Map<string, { id: number; owners: number }>();
          for (const [prefix, act] of steps) {
            const key = prefix.toString();
            const known = model.get(key);
            if (act === 'acquire') {
              const id = index.acquire(prefix);
              if (known === undefined) model.set(key, { id, owners: 1 });
              else {
                expect(id).to.equal(known.id);
                known.owners++;
              }
            } else if (known !== undefined && act === 'retain') {
              index.retain(known.id);
              known.owners++;
            } else if (known !== undefined && act === 'release') {
              index.release(known.id);
              if (--known.owners === 0) model.delete(key);
            }
            expect(index.find(prefix)).to.equal(model.get(key)?.id);
          }
          expect(index.size).to.equal(model.size);
          expect(new Set([...model.values()].map(({ id }) => id)).size).to.equal(model.size);
          for (const [key, { id }] of model) expect(index.prefix(id)?.toString()).to.equal(key);
        },
      ),
    );
  });

  it('gives back ids and space: a hundred times a thousand prefixes need a thousand ids', () => {
    const index = new PrefixIndex();
    for (let round = 0; round < 100; round++) {
      const ids = Array.from({ length: 1000 }, (_, n) =>
        index.acquire(Prefix.of(Address.v4((round * 1000 + n) << 8), 24)),
      );
      for (const id of ids) index.release(id);
    }
    expect([index.size, index.limit]).to.deep.equal([0, 1000]);
  });

  it('refuses to serve who gave up the id', () => {
    const index = new PrefixIndex();
    const id = index.acquire(Prefix.of(Address.v4(0), 0));
    index.release(id);
    expect(() => index.retain(id)).to.throw('after its last release');
    expect(index.prefix(id)).to.equal(undefined);
  });

  it('tells 0.0.0.0/0 and ::/0 apart', () => {
    const index = new PrefixIndex();
    const [v4, v6] = [Prefix.of(Address.v4(0), 0), Prefix.of(Address.v6(0, 0, 0, 0), 0)];
    expect(index.acquire(v4)).to.not.equal(index.acquire(v6));
  });
});
