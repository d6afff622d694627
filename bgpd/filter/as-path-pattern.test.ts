import { expect } from 'chai';
import fc from 'fast-check';
import type { AsSegment } from '../wire/types.ts';
import { type AsPathPattern, parseAsPathPattern } from './as-path-pattern.ts';

function pattern(text: string): AsPathPattern {
  const parsed = parseAsPathPattern(text);
  return parsed.ok ? parsed.pattern : expect.fail(`${text}: ${parsed.what}`);
}

/** `1 2 {3,4} (5 6) 7`: a set in braces, a confederation segment in parentheses. */
function path(text: string): AsSegment[] {
  return [...text.matchAll(/\{([\d,]*)\}|\(([\d ]*)\)|([\d ]+)/g)]
    .map(([, set, confederation, sequence]): AsSegment => {
      if (set !== undefined) return { type: 'set', asns: numbers(set) };
      if (confederation !== undefined) return { type: 'confed-sequence', asns: numbers(confederation) };
      return { type: 'sequence', asns: numbers(sequence ?? '') };
    })
    .filter(({ type, asns }) => type !== 'sequence' || asns.length > 0);
}

function numbers(text: string): number[] {
  return text.split(/[ ,]/).filter(Boolean).map(Number);
}

/** Pattern, paths that match, paths that do not. */
const cases: [string, string[], string[]][] = [
  ['', [''], ['1']],
  ['65001', ['65001'], ['', '65001 65001', '65002']],
  ['65001 .*', ['65001', '65001 1 2'], ['1 65001', '']],
  ['.* 65001', ['65001', '1 2 65001'], ['65001 1']],
  ['.* 65001 .*', ['65001', '1 65001 2'], ['1 6500 1', '165001']],
  ['.', ['1', '{1,2}'], ['', '1 2']],
  ['.{2,3}', ['1 2', '1 2 3'], ['1', '1 2 3 4']],
  ['.{2}', ['1 2'], ['1', '1 2 3']],
  ['.{2,}', ['1 2', '1 2 3 4 5'], ['1']],
  ['1+ 2?', ['1', '1 1 1', '1 1 2'], ['2', '1 2 2']],
  ['(1 2)+ 3', ['1 2 3', '1 2 1 2 3'], ['1 3', '1 2 1 3']],
  ['1 (2|3 4|) 5', ['1 2 5', '1 3 4 5', '1 5'], ['1 3 5', '1 2 3 4 5']],
  ['64512-65534+', ['64512', '65534 64600'], ['64511', '64512 65535']],
  ['[1 3-5]*', ['', '1 4 5'], ['2', '1 2']],
  ['[1,2] 3', ['1 3', '2 3'], ['3 3']],
  ['[^65001 1-9]', ['10', '65002'], ['65001', '5', '']],
  ['4294967295', ['4294967295'], ['4294967294']],
  ['.* 3', ['1 {2,3}', '{3}'], ['1 {2,4}']],
  ['[^3]', ['{1,2}'], ['{2,3}']],
  ['1 2', ['(7 8) 1 2', '1 (7) 2'], ['7 1 2']],
  ['1?*+', ['', '1 1'], ['2']],
];

const malformed: [string, string, number][] = [
  ['65001 x', 'an AS number is wanted, not "x"', 6],
  ['(1', 'a parenthesis is not closed', 2],
  ['1)', '")" opens nothing here', 1],
  ['*', 'an AS number is wanted, not "*"', 0],
  ['[]', 'the brackets are empty', 2],
  ['[1', 'an AS number is missing at the end', 2],
  ['5-4', 'the range ends below its beginning', 0],
  ['1-', 'an AS number is missing at the end', 2],
  ['4294967296', 'no AS number is above 4294967295', 0],
  ['99999999999999999999', 'no AS number is above 4294967295', 0],
  ['1{2,1}', 'the upper count is below the lower one', 2],
  ['1{', 'a count is wanted between the braces', 2],
  ['1{2', 'a brace is not closed', 3],
  ['1{999}', 'a count is at most 255', 5],
  ['((.{255}){255}){255}', 'the pattern is too large', 0],
  ['('.repeat(100), 'more than 64 parentheses deep', 64],
];

describe('AS path patterns', () => {
  for (const [text, matching, others] of cases)
    it(`"${text}" matches ${matching.map((each) => `"${each}"`).join(', ')}`, () => {
      for (const each of matching) expect(pattern(text).matches(path(each)), each).to.equal(true);
      for (const each of others) expect(pattern(text).matches(path(each)), each).to.equal(false);
    });

  for (const [text, what, at] of malformed)
    it(`refuses "${text.slice(0, 20)}": ${what}`, () =>
      expect(parseAsPathPattern(text)).to.deep.equal({ ok: false, what, at }));

  it('never throws, whatever the text', () => {
    const soup = fc.string({
      unit: fc.constantFrom(...'0123456789 .*+?{}()[]^|-,x'.split('')),
      maxLength: 40,
    });
    fc.assert(
      fc.property(soup, (text) => void parseAsPathPattern(text)),
      { numRuns: 2000 },
    );
  });

  it('takes time by the length of path and pattern alone, where backtracking would take for ever', () => {
    const long = path(Array.from({ length: 2000 }, () => '1').join(' '));
    const before = process.cpuUsage();
    for (const text of ['(1*)* 2', '((1|1)*)* 2', '(1+)+ (1+)+ 2', '.* .* .* .* .* 2', '(1?){50} 1{50} 2'])
      expect(pattern(text).matches(long), text).to.equal(false);
    const { user } = process.cpuUsage(before);
    expect(user).to.be.lessThan(2_000_000);
  });

  interface Sample {
    readonly text: string;
    /** The same as an expression over letters. */
    readonly letters: string;
  }

  const LETTERS = 'abc';
  const { expression } = fc.letrec<{ expression: Sample }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'pattern' },
      fc.integer({ min: 0, max: 2 }).map((n) => ({ text: String(n + 1), letters: LETTERS[n] ?? '' })),
      fc.constant({ text: '.', letters: '.' }),
      fc.constant({ text: '[^2]', letters: '[^b]' }),
      fc.constant({ text: '1-2', letters: '[ab]' }),
      fc.array(tie('expression'), { maxLength: 3 }).map((parts) => ({
        text: `(${parts.map(({ text }) => text).join(' ')})`,
        letters: `(?:${parts.map(({ letters }) => letters).join('')})`,
      })),
      fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map((parts) => ({
        text: `(${parts.map(({ text }) => text).join('|')})`,
        letters: `(?:${parts.map(({ letters }) => letters).join('|')})`,
      })),
      fc
        .tuple(tie('expression'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{2,}'))
        .map(([{ text, letters }, times]) => ({
          text: `(${text})${times}`,
          letters: `(?:${letters})${times}`,
        })),
    ),
  }));

  it('agrees with regular expressions over letters', () => {
    const word = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 7 });
    fc.assert(
      fc.property(expression, fc.array(word, { minLength: 1, maxLength: 20 }), ({ text, letters }, words) => {
        const reference = new RegExp(`^(?:${letters})$`);
        for (const asns of words)
          expect(
            pattern(text).matches([{ type: 'sequence', asns }]),
            `${text} on ${asns.join(' ')}`,
          ).to.equal(reference.test(asns.map((asn) => LETTERS[asn - 1]).join('')));
      }),
      { numRuns: 500 },
    );
  });
});
