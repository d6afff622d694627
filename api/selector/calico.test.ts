/**
 * What Calico's own parser says of selectors (the cases of libcalico-go's tests, in a form of our own): which labels each
 * operator selects, which texts are no selector, and how a selector is written down when its id is made.
 */
import { expect } from 'chai';
import { type Labels, parseSelector, type Selector } from '../index.ts';

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

/** `a=1 b=2` */
function labels(text: string): Labels {
  return Object.fromEntries(
    text
      .split(' ')
      .filter(Boolean)
      .map((each) => each.split('=')),
  ) as Labels;
}

describe("selector: Calico's cases", () => {
  const operators: readonly {
    readonly text: string;
    readonly selects: readonly string[];
    readonly not: readonly string[];
  }[] = [
    { text: 'a == "b"', selects: ['a=b', 'a=b c=d'], not: ['', 'a=c', 'c=d'] },
    { text: "a == 'a'", selects: ['a=a'], not: ['a=b', ''] },
    { text: 'a != "b"', selects: ['a=a', ''], not: ['a=b'] },
    { text: `a in {"'", '"', "c"}`, selects: ['a=c', 'a="', "a='"], not: ['', 'a=e'] },
    { text: `a not in {"'", '"', "c"}`, selects: ['', 'a=e'], not: ['a=c', 'a="', "a='"] },
    { text: '!a in {"a"}', selects: ['a=b', ''], not: ['a=a'] },
    { text: 'a not in {"d", "e"}', selects: ['a=a', ''], not: ['a=d', 'a=e'] },
    { text: 'has(a)', selects: ['a=b', 'a='], not: ['', 'b=a'] },
    { text: '!has(a)', selects: ['b=b', ''], not: ['a=b', 'a='] },
    { text: '!!has(b)', selects: ['b=a'], not: ['a=b'] },
    { text: '! has(a)', selects: [''], not: ['a=b'] },
    { text: '!!! has(a)', selects: [''], not: ['a=b'] },
    { text: '! !!has(a)', selects: [''], not: ['a=b'] },
    { text: 'a contains "a"', selects: ['a=a', 'a=bab', 'a=aaa b=c'], not: ['', 'a=b', 'b=aaa'] },
    { text: 'a starts with "a"', selects: ['a=a', 'a=abb', 'a=aaa b=c'], not: ['', 'a=b', 'a=baa', 'b=aaa'] },
    { text: 'a ends with "a"', selects: ['a=a', 'a=bba', 'a=aaa b=c'], not: ['', 'a=b', 'a=aab', 'b=aaa'] },
    { text: '', selects: ['', 'a=b'], not: [] },
    { text: ' ', selects: ['', 'a=b'], not: [] },
    { text: ' all()', selects: ['', 'a=b'], not: [] },
    { text: ' global()', selects: ['', 'a=b'], not: [] },
    {
      text: 'a == "b" && c == "d"',
      selects: ['a=b c=d'],
      not: ['', 'a=b c=e', 'a=c c=d', 'c=d', 'a=b'],
    },
    { text: 'a == "b" || c == "d"', selects: ['a=b c=d', 'a=b', 'c=d'], not: ['', 'a=e c=e', 'c=e', 'a=e'] },
    { text: "a == '1' && b != '1'", selects: ['a=1', 'a=1 b=2'], not: ['a=1 b=1'] },
    { text: "a != '1' && !b == '1'", selects: [''], not: ['a=1 b=1', 'b=1'] },
    { text: "!a == '1' && b == '1'", selects: ['b=1'], not: ['a=1 b=1'] },
    { text: 'has(a) && !has(b)', selects: ['a=a'], not: ['a=a b=b', ''] },
    { text: '!has(b) && has(a)', selects: ['a=a'], not: ['a=a b=b', ''] },
    { text: '!(!has(a) || has(b))', selects: ['a=a'], not: ['', 'a=a b=b', 'b=b'] },
    { text: '!(has(b) || !has(a))', selects: ['a=a'], not: ['', 'a=a b=b', 'b=b'] },
    { text: "a == '1' || b != '1'", selects: ['a=1 b=1', ''], not: ['b=1'] },
    { text: "! a == '1' || ! b == '1'", selects: ['', 'a=1'], not: ['a=1 b=1'] },
    // && binds closer than ||, ! closer than both.
    { text: 'has(a) || has(b) && has(c)', selects: ['a=1', 'b=1 c=1'], not: ['b=1', 'c=1'] },
    { text: '(has(a) || has(b)) && has(c)', selects: ['a=1 c=1', 'b=1 c=1'], not: ['a=1', 'c=1'] },
    { text: '!has(a) && has(b)', selects: ['b=1'], not: ['', 'a=1 b=1'] },
  ];
  for (const { text, selects, not } of operators)
    it(`${JSON.stringify(text)} selects what it does there`, () => {
      const read = selector(text);
      // As it is written, and as it is written down.
      for (const each of [read, selector(read.canonical)]) {
        expect(selects.filter((one) => !each.matches(labels(one)))).to.deep.equal([]);
        expect(not.filter((one) => each.matches(labels(one)))).to.deep.equal([]);
      }
      expect(selector(read.canonical).id).to.equal(read.id);
    });

  const bad = [
    'b == b',
    'b contains b',
    'b starts with b',
    'b ends with b',
    "'b1' == b",
    'b',
    'a b',
    '!',
    'foo == "bar" &',
    'foo == "bar" |',
    'foo != ||',
    'foo in {"", ||',
    'foo in ""',
    '"FOO',
    `"FOO'`,
    "'FOO",
    '(',
    '(a == "foo"',
    ')',
    '()',
    '%',
    'a == "b" && %',
    'a == "b" || %',
    'a ',
    'has(foo) &&',
  ];
  for (const text of bad)
    it(`${JSON.stringify(text)} is none`, () => expect(parseSelector(text).ok).to.equal(false));

  const written: readonly (readonly [text: string, canonical: string, id?: string])[] = [
    ['', 'all()', 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug'],
    [' all() ', 'all()', 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug'],
    [' (all() )', 'all()', 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug'],
    ['! (has( b)||! has(a ))', '!(has(b) || !has(a))', 's:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q'],
    ['! (a == "b"&&! c != "d")', '!(a == "b" && !c != "d")', 's:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w'],
    [`a == "'"`, `a == "'"`],
    [`a == '"'`, `a == '"'`],
    [`a contains '"'`, `a contains '"'`],
    [`a startswith '"'`, `a starts with '"'`],
    [`a endswith "'"`, `a ends with "'"`],
    [`a!='"'`, `a != '"'`],
    ['a in {"z", "z", "x", "y", "x", "a"}', 'a in {"a", "x", "y", "z"}'],
  ];
  for (const [text, canonical, id] of written)
    it(`${JSON.stringify(text)} is written ${canonical}`, () => {
      const read = selector(text);
      expect(read.canonical).to.equal(canonical);
      if (id !== undefined) expect(read.id).to.equal(id);
    });
});
