import { expect } from 'chai';
import fc from 'fast-check';
import { parseJson, sameJson, stringifyJson } from './json.ts';

describe('JSON with exact integers', () => {
  const cases = [
    ['1785578400000000004', 1785578400000000004n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['"1785578400000000004"', '1785578400000000004'],
    ['{"a":[1785578400000000004]}', { a: [1785578400000000004n] }],
    ['[-1785578400000000004,1785578400000000005]', [-1785578400000000004n, 1785578400000000005n]],
    ['{"a":{"b":1785578400000000004},"c":1}', { a: { b: 1785578400000000004n }, c: 1 }],
    ['{"id":"sha256:12345678901234567890abc"}', { id: 'sha256:12345678901234567890abc' }],
  ] as const;
  for (const [text, value] of cases) {
    it(`reads and writes ${text}`, () => {
      expect(parseJson(text)).to.deep.equal(value);
      expect(stringifyJson(value)).to.equal(text);
    });
  }

  it('takes fractions and exponents for what they are', () => {
    for (const text of ['0.12345678901234567', '1e300', '12345678901234567.5', '-0.1e-17']) {
      expect(parseJson(text)).to.equal(Number(text));
    }
  });

  it('refuses what has no form, and what is no JSON', () => {
    expect(() => stringifyJson(undefined)).to.throw(TypeError);
    expect(() => parseJson('{"a":1234567890123456')).to.throw(SyntaxError);
  });

  it('reads back any value', () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.jsonValue(),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }),
        fc.array(tie('value'), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, (value) => {
        const again = parseJson(stringifyJson(value));
        expect(sameJson(again, parseJson(stringifyJson(again)))).to.equal(true);
        expect(stringifyJson(again)).to.equal(stringifyJson(value));
      }),
    );
  });
});

describe('sameJson', () => {
  const cases = [
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [{ a: 1 }, { a: 1, b: undefined }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: undefined }, { b: undefined }, true],
    [{ a: undefined }, { b: 1 }, false],
    [[1, 2], [2, 1], false],
    [[], {}, false],
    [5, 5n, true],
    [5, '5', false],
    [5n, '5', false],
    [null, undefined, false],
    [{ toString: 1 }, {}, false],
    [{}, { toString: 1 }, false],
  ] as const;
  for (const [a, b, same] of cases) {
    it(`${JSON.stringify(a, printable)} and ${JSON.stringify(b, printable)}: ${same}`, () => {
      expect(sameJson(a, b)).to.equal(same);
      expect(sameJson(b, a)).to.equal(same);
    });
  }
});

function printable(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
