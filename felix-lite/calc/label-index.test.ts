import { expect } from 'chai';
import fc from 'fast-check';
import { type Labels, Selector, parseSelector } from '../../api/selector/index.ts';
import { LabelIndex, necessaryConditions } from './label-index.ts';

function selector(text: string): Selector {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
}

const TEXTS = [
  'all()',
  "a == '1'",
  "a != '1'",
  "a in {'1', '2'} && has(b)",
  "a == '1' || a == '2'",
  "a == '1' || b == '2'",
  "a == '1' && b == '2'",
  "a == '1' && b == '1' || b == '2' && a == '2'",
  'has(a) || a starts with "2"',
  '!has(b)',
  "!(a == '1' && b == '1')",
  "b contains '1'",
  "a not in {'1'} && b == '2'",
] as const;

const labels: fc.Arbitrary<Labels> = fc.dictionary(
  fc.constantFrom('a', 'b'),
  fc.constantFrom('1', '2', '12'),
);
const operation = fc.oneof(
  fc.record({ op: fc.constant('item' as const), item: fc.nat(4), labels, parents: fc.subarray(['p', 'q']) }),
  fc.record({ op: fc.constant('no item' as const), item: fc.nat(4) }),
  fc.record({
    op: fc.constant('parent' as const),
    parent: fc.constantFrom('p', 'q'),
    labels: fc.option(labels, { nil: undefined }),
  }),
  fc.record({ op: fc.constant('selector' as const), text: fc.constantFrom(...TEXTS) }),
  fc.record({ op: fc.constant('no selector' as const), text: fc.constantFrom(...TEXTS) }),
);

describe('the label index', () => {
  it('finds what trying everything against everything finds, and tells each change once', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const told = new Set<string>();
        const index = new LabelIndex<number>({
          matched: (item, id) => {
            expect(told.has(`${item} ${id}`)).to.equal(false);
            told.add(`${item} ${id}`);
          },
          unmatched: (item, id) => expect(told.delete(`${item} ${id}`)).to.equal(true),
        });
        const items = new Map<number, { readonly labels: Labels; readonly parents: readonly string[] }>();
        const parents = new Map<string, Labels>();
        const selectors = new Map<string, Selector>();
        for (const each of operations) {
          switch (each.op) {
            case 'item':
              items.set(each.item, each);
              index.putItem(each.item, each.labels, each.parents);
              break;
            case 'no item':
              items.delete(each.item);
              index.deleteItem(each.item);
              break;
            case 'parent':
              if (each.labels === undefined) parents.delete(each.parent);
              else parents.set(each.parent, each.labels);
              index.putParent(each.parent, each.labels);
              break;
            case 'selector':
              selectors.set(selector(each.text).id, selector(each.text));
              index.putSelector(selector(each.text));
              break;
            case 'no selector':
              selectors.delete(selector(each.text).id);
              index.deleteSelector(selector(each.text).id);
          }
          const expected = [...items].flatMap(([item, own]) => {
            const inherited = own.parents.map((name) => parents.get(name) ?? {}).reverse();
            const all: Labels = Object.assign({}, ...inherited, own.labels);
            return [...selectors.values()].filter((one) => one.matches(all)).map(({ id }) => `${item} ${id}`);
          });
          expect([...told].sort()).to.deep.equal(expected.sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  it('tries an item against selectors that share a label with it, not against all of its namespace', () => {
    const index = new LabelIndex<number>({ matched: () => undefined, unmatched: () => undefined });
    let tried = 0;
    for (let app = 0; app < 100; app++) {
      const counted = selector(`namespace == 'n' && app == 'a${app}'`);
      const matches = counted.matches.bind(counted);
      counted.matches = (own: Labels): boolean => {
        tried++;
        return matches(own);
      };
      index.putSelector(counted);
    }
    for (let item = 0; item < 100; item++) index.putItem(item, { namespace: 'n', app: `a${item}` }, []);
    // Each its own, and the one that was first filed under the namespace.
    expect(tried).to.be.at.most(200);
  });

  const conditions = [
    {
      text: "a == '1' && b in {'1', '2'}",
      want: [
        { label: 'a', values: ['1'] },
        { label: 'b', values: ['1', '2'] },
      ],
    },
    { text: 'has(a) && b != "1"', want: [{ label: 'a', values: undefined }] },
    { text: "a == '1' || a in {'2', '3'}", want: [{ label: 'a', values: ['1', '2', '3'] }] },
    { text: "a == '1' || has(a)", want: [{ label: 'a', values: undefined }] },
    {
      text: "a == '1' && b == '1' || b == '2' && a == '2'",
      want: [
        { label: 'a', values: ['1', '2'] },
        { label: 'b', values: ['1', '2'] },
      ],
    },
    { text: "a == '1' || b == '1'", want: [] },
    { text: "!(a == '1')", want: [] },
  ] as const;
  for (const { text, want } of conditions) {
    it(`may file ${text} under ${want.map(({ label }) => label).join(' or ') || 'nothing'}`, () =>
      expect(necessaryConditions(selector(text).root)).to.deep.equal(want));
  }
});
