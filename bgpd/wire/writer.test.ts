import { expect } from 'chai';
import fc from 'fast-check';
import { Reader } from './reader.ts';
import { text } from './testing/octets.ts';
import { Writer } from './writer.ts';

describe('Writer', () => {
  it('writes what Reader reads, whatever its first capacity', () => {
    const value = fc.oneof(
      fc.record({ kind: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 0xff }) }),
      fc.record({ kind: fc.constant('u16' as const), value: fc.integer({ min: 0, max: 0xffff }) }),
      fc.record({ kind: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
    );
    fc.assert(
      fc.property(
        fc.nat(20),
        fc.array(fc.oneof(value, fc.uint8Array({ maxLength: 40 }))),
        (capacity, values) => {
          const w = new Writer(capacity);
          for (const one of values) {
            if (one instanceof Uint8Array) w.put(one);
            else w[one.kind](one.value);
          }
          const r = new Reader(w.finish());
          for (const one of values) {
            if (one instanceof Uint8Array) expect(text(r.take(one.length))).to.equal(text(one));
            else expect(r[one.kind]()).to.equal(one.value);
          }
          expect(r.remaining).to.equal(0);
          expect(r.overrun).to.equal(false);
        },
      ),
    );
  });

  it('makes room in the middle, and fills in what was left open', () => {
    const w = new Writer(3)
      .u8(1)
      .u8(0)
      .put(Uint8Array.of(7, 8, 9));
    w.insert(2, 1);
    w.patch16(1, 0x0203);
    w.patch8(0, 5);
    expect(text(w.finish())).to.equal('05 02 03 07 08 09');
  });
});

describe('Reader', () => {
  it('stays where it is and answers 0 where octets are missing, and says so once asked', () => {
    const r = new Reader(Uint8Array.of(1, 2, 3));
    expect(r.u16()).to.equal(0x0102);
    expect(r.overrun).to.equal(false);
    expect(r.u16()).to.equal(0);
    expect(r.u32()).to.equal(0);
    expect(r.u64()).to.equal(0n);
    expect(r.take(2)).to.have.length(0);
    expect(r.slice(2).remaining).to.equal(0);
    expect([r.overrun, r.remaining, r.u8()]).to.deep.equal([true, 1, 3]);
  });

  it('does not look past the end it was given', () => {
    const r = new Reader(Uint8Array.of(1, 2, 3, 4), 1, 2);
    expect([r.u8(), r.u8(), r.overrun]).to.deep.equal([2, 0, true]);
  });
});
