import { expect } from 'chai';
import fc from 'fast-check';
import {
  canonicalText,
  compareText,
  mapLabels,
  parseSelector,
  parseTree,
  type SelectorNode,
  uniqueId,
} from './index.ts';

/** The canonical text of a selector, or `character: what` where it breaks off. */
function read(text: string): string {
  const parsed = parseSelector(text);
  if (parsed.ok) return parsed.value.canonical;
  const [, where, what] =
    /does not parse at character (\d+): (.*)$/s.exec(parsed.problems[0]?.what ?? '') ?? [];
  return `${where}: ${what}`;
}

describe('selector: canonical text', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'all()'],
    ['  \t ', 'all()'],
    ['all( )', 'all()'],
    ['global()', 'global()'],
    ["role == 'db'", 'role == "db"'],
    ['role=="db"', 'role == "db"'],
    [`a == 'say "x"'`, `a == 'say "x"'`],
    [`a == "it's"`, `a == "it's"`],
    ["a != ''", 'a != ""'],
    ['has( a.b/c-d_e )', 'has(a.b/c-d_e)'],
    ["a in {'b','a' , 'b'}", 'a in {"a", "b"}'],
    ["a not \t in {'x',}", 'a not in {"x"}'],
    ['a in {}', 'a in {}'],
    ["a in{'x'}", 'a in {"x"}'],
    ["a starts   with 'x'", 'a starts with "x"'],
    ["a startswith 'x'", 'a starts with "x"'],
    ["a ends with 'x' && a contains 'y'", '(a ends with "x" && a contains "y")'],
    ['! has(a)', '!has(a)'],
    ['!!has(a)', 'has(a)'],
    ['!!!has(a)', '!has(a)'],
    ['!(!has(a))', '!!has(a)'],
    ['((has(a)))', 'has(a)'],
    ['has(a) || has(b) && has(c)', '(has(a) || (has(b) && has(c)))'],
    ['(has(a) || has(b)) && has(c)', '((has(a) || has(b)) && has(c))'],
    ['has(a) && (has(b) && has(c))', '(has(a) && (has(b) && has(c)))'],
    ['has(a) && has(b) && has(c)', '(has(a) && has(b) && has(c))'],
    ['!has(a) && !(has(b) || has(c))', '(!has(a) && !(has(b) || has(c)))'],
    // Words are labels where a label may stand.
    ["in == 'x'", 'in == "x"'],
    ["has == 'x' && all == 'y'", '(has == "x" && all == "y")'],
    ["contains contains 'x'", 'contains contains "x"'],
    ["not in {'x'}", 'not in {"x"}'],
  ];
  for (const [text, want] of cases) {
    it(`${JSON.stringify(text)} is ${want}`, () => expect(read(text)).to.equal(want));
  }
});

describe('selector: faults', () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a = 'b'", '3: a single "=" means nothing'],
    ['has(a) & has(b)', '8: a single "&" means nothing'],
    ['has(a) | has(b)', '8: a single "|" means nothing'],
    ['a == b', '6: expected a quoted string, found the label "b"'],
    ['a ==', '5: expected a quoted string, found the end'],
    ['a', '2: expected an operator after "a", found the end'],
    ['a b', '3: no operator here, but "b"'],
    ["a == 'b", '6: the string has no end'],
    ['(has(a)', '8: expected ")", found the end'],
    ['has(a))', '7: unexpected ")"'],
    ['()', '2: expected an expression, found ")"'],
    ['!', '2: expected an expression, found the end'],
    ['has(a) &&', '10: expected an expression, found the end'],
    ['has(a) has(b)', '8: unexpected has(b)'],
    ['has()', '5: has( names no label'],
    ['has(a', '6: a ")" is missing'],
    ['has (a)', '5: expected an operator after "has", found "("'],
    ['all(x)', '5: a ")" is missing'],
    ["a in 'x'", `6: expected "{", found the string "x"`],
    ["a in {'x' 'y'}", `11: expected "}", found the string "y"`],
    ["a in {'x'", '10: expected "}", found the end'],
    ["a not 'x'", `3: no operator here, but "not 'x'"`],
    ["a == 'b' == 'c'", '10: unexpected "=="'],
    ["a\n== 'b'", `2: no operator here, but "\\n== 'b'"`],
    ["ä == 'b'", '1: "ä" cannot start anything'],
    ['has(a);', '7: ";" cannot start anything'],
    [`${'x'.repeat(513)} == 'a'`, '1: the label has 513 characters'],
    [`${'('.repeat(300)}has(a)${')'.repeat(300)}`, '252: parentheses are nested too deep'],
  ];
  for (const [text, want] of cases) {
    it(`${JSON.stringify(text).slice(0, 40)}: ${want}`, () => expect(read(text)).to.equal(want));
  }

  it('quotes the selector, carries it as value, and says what to do', () => {
    const parsed = parseSelector('role == web');
    expect(parsed.ok ? undefined : parsed.problems).to.deep.equal([
      {
        code: 'SELECTOR_INVALID',
        what: 'the selector "role == web" does not parse at character 9: expected a quoted string, found the label "web"',
        remedy: "put the value in quotes: 'web'",
        value: 'role == web',
      },
    ]);
  });

  it('takes a long flat selector without trouble', () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `l${index} == 'x'`).join(' || ');
    expect(parseSelector(text).ok).to.equal(true);
    expect(parseSelector(`${'!'.repeat(100_001)}has(a)`).ok).to.equal(true);
  });

  it('answers any text with a value or a problem, never with an exception', () => {
    const word = fc.constantFrom(
      'a',
      'has(',
      'has(a)',
      'all()',
      'in',
      'not',
      '==',
      '!=',
      '&&',
      '||',
      '!',
      '(',
      ')',
      '{',
      '}',
      ',',
      "'x'",
      '"',
      ' ',
      '\n',
      '=',
      '&',
      'é',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(word).map((words) => words.join('')),
      fc.array(word).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const parsed = parseSelector(candidate);
        if (!parsed.ok) expect(parsed.problems[0]?.code).to.equal('SELECTOR_INVALID');
        else expect(read(parsed.value.canonical)).to.equal(parsed.value.canonical);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('selector: ids', () => {
  // The vectors of docs on Calico's data model: ipset names on a live node depend on them.
  const cases = [
    ['all()', 's:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug'],
    ["role == 'db'", 's:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg'],
    ["(role == 'db') && projectcalico.org/namespace == 'prod'", 's:ujcdfgEZaMju3SqveryMO1WsmcqiFeM2sdyg7g'],
    ["(projectcalico.org/namespace == 'prod') && (role == 'db')", 's:cEaQzUJBV_ps4cPcaW9fPS9u53cQrmfxtxUvYw'],
  ] as const;
  for (const [text, id] of cases) {
    it(`${text} has ${id}`, () => {
      const parsed = parseSelector(text);
      expect(parsed.ok ? parsed.value.id : parsed).to.equal(id);
    });
  }

  it('names ports and services the same way', () => {
    expect(uniqueId('n', 's:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg,tcp,http')).to.equal(
      'n:v1r2STTlO7TacjeCimdhkpVVM3zO_Bl2xCq5fw',
    );
    expect(uniqueId('svc', 'prod/db')).to.equal('svc:2hsWfvzzNlp57Ev94nfMnO7s4Bddh6a1L5-IGA');
  });
});

const LABELS = ['a', 'b', 'role', 'x.y/z'] as const;
const label = fc.constantFrom(...LABELS);
const value = fc.constantFrom('', 'a', 'ab', 'ba', 'b', 'web', '\u{10000}', '\uffff', 'it"s');
const labels = fc.dictionary(label, value);

const node: fc.Arbitrary<SelectorNode> = fc.letrec<{ node: SelectorNode; leaf: SelectorNode }>((tie) => ({
  leaf: fc.oneof(
    fc.constant<SelectorNode>({ op: 'all' }),
    label.map((name): SelectorNode => ({ op: 'has', label: name })),
    fc
      .tuple(
        fc.constantFrom(
          '==' as const,
          '!=' as const,
          'contains' as const,
          'starts with' as const,
          'ends with' as const,
        ),
        label,
        value,
      )
      .map(([op, name, text]): SelectorNode => ({ op, label: name, value: text })),
    fc
      .tuple(fc.constantFrom('in' as const, 'not in' as const), label, fc.uniqueArray(value))
      .map(([op, name, values]): SelectorNode => ({ op, label: name, values: values.toSorted(compareText) })),
  ),
  node: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    tie('node').map((operand): SelectorNode => ({ op: 'not', operand })),
    fc
      .tuple(
        fc.constantFrom('and' as const, 'or' as const),
        fc.array(tie('node'), { minLength: 2, maxLength: 3 }),
      )
      .map(([op, operands]): SelectorNode => ({ op, operands })),
  ),
})).node;

/** A second opinion, by another road: sets of the label values seen as strings that regular expressions judge. */
function secondOpinion(tree: SelectorNode, given: Readonly<Record<string, string>>): boolean {
  if (tree.op === 'not') return !secondOpinion(tree.operand, given);
  if (tree.op === 'and')
    return !tree.operands.map((operand) => secondOpinion(operand, given)).includes(false);
  if (tree.op === 'or') return tree.operands.map((operand) => secondOpinion(operand, given)).includes(true);
  if (tree.op === 'all' || tree.op === 'global') return true;
  const found = new Map(Object.entries(given)).get(tree.label);
  if (tree.op === 'has') return found !== undefined;
  if (tree.op === 'in' || tree.op === 'not in') {
    return (found !== undefined && new Set(tree.values).has(found)) === (tree.op === 'in');
  }
  if (tree.op === '!=') return !Object.is(found, tree.value);
  if (found === undefined) return false;
  const wanted = tree.value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = {
    '==': `^${wanted}$`,
    contains: wanted,
    'starts with': `^${wanted}`,
    'ends with': `${wanted}$`,
  }[tree.op];
  return new RegExp(pattern, 's').test(found);
}

/** The tree as a careless person may write it: spaces, either quote, needless parentheses. */
function written(tree: SelectorNode, whim: () => boolean): string {
  const space = (): string => (whim() ? ' ' : '\t  ');
  const quoted = (text: string): string =>
    text.includes('"') || (whim() && !text.includes("'")) ? `'${text}'` : `"${text}"`;
  const wrap = (text: string): string => (whim() ? `( ${text})` : text);
  switch (tree.op) {
    case 'all':
    case 'global':
      return `${tree.op}(${space()})`;
    case 'has':
      return `has(${space()}${tree.label} )`;
    case 'in':
    case 'not in':
      return `${tree.label} ${tree.op}${space()}{${[...tree.values].reverse().map(quoted).join(`${space()},`)}}`;
    case 'not':
      return `!${space()}(${written(tree.operand, whim)})`;
    case 'and':
    case 'or':
      return `(${tree.operands.map((operand) => wrap(written(operand, whim))).join(tree.op === 'and' ? '&&' : ' || ')})`;
    default:
      return wrap(`${tree.label}${space()}${tree.op}${space()}${quoted(tree.value)}`);
  }
}

describe('selector: promises', () => {
  it('reads back its canonical text as the same tree, but for doubled "!"', () => {
    fc.assert(
      fc.property(node, (tree) => {
        const parsed = parseTree(canonicalText(tree));
        expect(parsed.ok && parsed.value).to.deep.equal(withoutDoubledNot(tree));
      }),
      { numRuns: 500 },
    );
  });

  it('reads every way of writing a tree as that tree', () => {
    fc.assert(
      fc.property(node, fc.infiniteStream(fc.boolean()), (tree, whims) => {
        const parsed = parseTree(written(tree, () => whims.next().value === true));
        expect(parsed.ok && parsed.value).to.deep.equal(tree);
      }),
      { numRuns: 500 },
    );
  });

  it('matches as a second evaluator does', () => {
    fc.assert(
      fc.property(node, labels, (tree, given) => {
        const parsed = parseSelector(canonicalText(tree));
        expect(parsed.ok && parsed.value.matches(given)).to.equal(secondOpinion(tree, given));
      }),
      { numRuns: 2000 },
    );
  });

  it('sees the same under renamed labels', () => {
    fc.assert(
      fc.property(node, labels, (tree, given) => {
        const renamed = Object.fromEntries(Object.entries(given).map(([key, text]) => [`pcns.${key}`, text]));
        const mapped = parseSelector(canonicalText(mapLabels(tree, (name) => `pcns.${name}`)));
        expect(mapped.ok && mapped.value.matches(renamed)).to.equal(secondOpinion(tree, given));
      }),
    );
  });

  it('sees no labels that nobody set', () => {
    const parsed = parseSelector('has(constructor) || has(toString) || has(__proto__)');
    expect(parsed.ok && parsed.value.matches({ a: 'b' })).to.equal(false);
  });

  it('sorts sets in the order of UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareText(a, b))).to.equal(
          Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
      }),
    );
  });
});

/** The parser drops pairs of "!" that stand side by side. */
function withoutDoubledNot(tree: SelectorNode): SelectorNode {
  if (tree.op === 'and' || tree.op === 'or')
    return { op: tree.op, operands: tree.operands.map(withoutDoubledNot) };
  if (tree.op !== 'not') return tree;
  const operand = withoutDoubledNot(tree.operand);
  return operand.op === 'not' ? operand.operand : { op: 'not', operand };
}
