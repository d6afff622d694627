import { expect } from 'chai';
import fc from 'fast-check';
import { splitWords } from './words.ts';

describe('splitWords', () => {
  for (const [text, want] of [
    ['ip link set eth1 up', ['ip', 'link', 'set', 'eth1', 'up']],
    ['  spaced \t out ', ['spaced', 'out']],
    [`sh -c 'echo "a b" > /x'`, ['sh', '-c', 'echo "a b" > /x']],
    [`a"b c"d '' \\ e`, ['ab cd', '', ' e']],
    ['', []],
  ] as const) {
    it(JSON.stringify(text), () => expect(splitWords(text)).to.deep.equal({ ok: true, value: want }));
  }

  for (const text of [`echo 'open`, 'echo "open', 'ends in \\']) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(splitWords(text).ok).to.equal(false));
  }

  it('gives back any words that were quoted', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const text = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
        expect(splitWords(text)).to.deep.equal({ ok: true, value: words });
      }),
    );
  });
});
