import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { formatProblem } from '../problem.ts';
import { parseManifests } from './parse.ts';

const HEAD = 'apiVersion: projectcalico.org/v3';

/** The problems of a text, one a line, as a user sees them. */
function told(text: string, file = 'x.yaml'): string[] {
  const parsed = parseManifests(text, file);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
}

function names(text: string): string[] {
  const parsed = parseManifests(text);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.value.map(({ resource }) => `${resource.kind}/${resource.metadata.name}`);
}

const pool = (name: string, cidr: string): string => `${HEAD}
kind: IPPool
metadata:
  name: ${name}
spec:
  cidr: ${cidr}
`;

describe('manifests: what they hold', () => {
  const cases = [
    { it: 'nothing in nothing', text: '', want: [] },
    { it: 'nothing in comments and empty documents', text: '# pools\n---\n---\n# none\n', want: [] },
    { it: 'one document', text: pool('a', '10.0.0.0/16'), want: ['IPPool/a'] },
    {
      it: 'several documents',
      text: `${pool('a', '10.0.0.0/16')}---\n${pool('b', '10.1.0.0/16')}...\n`,
      want: ['IPPool/a', 'IPPool/b'],
    },
    {
      it: 'JSON',
      text: JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name: 'n' } }),
      want: ['Node/n'],
    },
    {
      it: 'JSON indented by tabs',
      text: JSON.stringify(
        { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name: 'n' } },
        null,
        '\t',
      ),
      want: ['Node/n'],
    },
    {
      it: 'a List of Kubernetes',
      text: stringify({ kind: 'List', apiVersion: 'v1', items: [node('a'), node('b')] }),
      want: ['Node/a', 'Node/b'],
    },
    {
      it: 'a list of one kind, as calicoctl prints it',
      text: stringify({
        kind: 'NodeList',
        apiVersion: 'projectcalico.org/v3',
        metadata: { resourceVersion: '7' },
        items: [node('a')],
      }),
      want: ['Node/a'],
    },
    { it: 'an array', text: stringify([node('a'), [node('b')]]), want: ['Node/a', 'Node/b'] },
    {
      it: 'Windows line ends and a byte order mark',
      text: `\uFEFF${pool('a', '10.0.0.0/16').replaceAll('\n', '\r\n')}`,
      want: ['IPPool/a'],
    },
    {
      it: 'anchors and merges',
      text: `${HEAD}\nkind: Node\nmetadata: &m {name: a}\nspec: {orchRefs: [{<<: {orchestrator: k8s}, nodeName: x}]}\n`,
      want: ['Node/a'],
    },
    {
      it: 'what a server filled in',
      text: stringify({
        ...node('a'),
        metadata: {
          name: 'a',
          uid: 'u',
          resourceVersion: '5',
          creationTimestamp: null,
          generation: 2,
          managedFields: [{}],
        },
      }),
      want: ['Node/a'],
    },
  ];
  for (const row of cases) it(row.it, () => expect(names(row.text)).to.deep.equal(row.want));
});

describe('manifests: what is told about bad ones', () => {
  const cases: readonly { readonly it: string; readonly text: string; readonly want: readonly string[] }[] = [
    {
      it: 'an unknown field: where, and what is meant',
      text: `${pool('a', '10.0.0.0/16')}---\n${pool('b', '10.1.0.0/16')}  natOutgong: true\n`,
      want: [
        'x.yaml, document 2, line 14, column 3: IPPool/b: spec.natOutgong: there is no field "natOutgong"; write "natOutgoing" if that is what you mean',
      ],
    },
    {
      it: 'a wrong CIDR',
      text: pool('a', '10.0.0.0/40'),
      want: [
        'x.yaml, document 1, line 6, column 3: IPPool/a: spec.cidr: "10.0.0.0/40" has a prefix length that IPv4 does not have; use a length from 0 to 32, as in 10.0.0.0/32',
      ],
    },
    {
      it: 'a selector that does not parse',
      text: `${HEAD}\nkind: GlobalNetworkPolicy\nmetadata: {name: p}\nspec:\n  ingress:\n  - action: Allow\n    source:\n      selector: role == web\n`,
      want: [
        'x.yaml, document 1, line 8, column 7: GlobalNetworkPolicy/p: spec.ingress[0].source.selector: the selector "role == web" does not parse at character 9: expected a quoted string, found the label "web"; put the value in quotes: \'web\'',
      ],
    },
    {
      it: 'all documents, in the order of the text',
      text: `${pool('A', '10.0.0.0/8')}---\nkind: Pool\n---\nfoo\n---\n${HEAD}\nkind: Node\n`,
      want: [
        'x.yaml, document 1, line 4, column 3: IPPool/A: metadata.name: "A" is not a valid name; use lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part',
        'x.yaml, document 2, line 8, column 1: kind: "Pool" is not a kind that Poplin knows; write IPPool',
        'x.yaml, document 3, line 10, column 1: "foo" is not a resource; write a mapping with apiVersion, kind, metadata and spec',
        'x.yaml, document 4, line 12, column 1: Node: metadata: is missing; add it: a mapping of fields',
      ],
    },
    {
      it: 'items of a list by their own place',
      text: `kind: List\nitems:\n- ${HEAD}\n  kind: Node\n  metadata: {name: a}\n- ${HEAD}\n  kind: Node\n  metadata: {name: b, labels: {tier: 1}}\n`,
      want: [
        'x.yaml, document 1, line 8, column 32: Node/b: metadata.labels.tier: 1 is not text; put it in quotes: "1"',
      ],
    },
    {
      it: 'another version of the API',
      text: 'apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: a}\n',
      want: [
        'x.yaml, document 1, line 1, column 1: apiVersion: "crd.projectcalico.org/v1" is not the version of this kind; write projectcalico.org/v3',
      ],
    },
    {
      it: 'a field given twice',
      text: `${pool('a', '10.0.0.0/16')}  cidr: 10.1.0.0/16\n`,
      want: [
        'x.yaml, document 1, line 7, column 3: the text is not valid YAML: a field is given twice; keep one of the two',
      ],
    },
    {
      it: 'a value that came through an anchor, by the nearest place',
      text: `${HEAD}\nkind: IPPool\nmetadata: {name: a}\nspec: &s {cidr: 10.0.0.0/33}\n---\n${HEAD}\nkind: IPPool\nmetadata: {name: b}\nspec:\n  <<: {cidr: 10.0.0.0/34}\n`,
      want: [
        'x.yaml, document 1, line 4, column 11: IPPool/a: spec.cidr: "10.0.0.0/33" *',
        'x.yaml, document 2, line 9, column 1: IPPool/b: spec.cidr: "10.0.0.0/34" *',
      ],
    },
  ];
  for (const row of cases) {
    it(row.it, () => {
      const lines = told(row.text).map((line, index) => {
        const open = row.want[index]?.endsWith('*') === true ? row.want[index].slice(0, -1) : undefined;
        return open !== undefined && line.startsWith(open) ? `${open}*` : line;
      });
      expect(lines).to.deep.equal(row.want);
    });
  }

  it('carries field and value for programs', () => {
    const parsed = parseManifests(pool('a', '10.0.0.0/40'), 'pools.yaml');
    expect(parsed.ok ? [] : parsed.problems).to.containSubset([
      {
        code: 'FIELD_INVALID',
        resource: 'IPPool/a',
        field: 'spec.cidr',
        value: '10.0.0.0/40',
        at: { file: 'pools.yaml', document: 1, line: 6 },
      },
    ]);
  });

  it('finds a place again for later checks', () => {
    const parsed = parseManifests(`${pool('a', '10.0.0.0/16')}---\n${pool('b', '10.0.0.0/16')}`, 'p.yaml');
    const second = parsed.ok ? parsed.value[1] : undefined;
    expect(second?.at('spec.cidr')).to.deep.equal({ file: 'p.yaml', document: 2, line: 13, column: 3 });
    expect(second?.at()).to.deep.equal({ file: 'p.yaml', document: 2, line: 8, column: 1 });
    expect(second?.at('spec.blockSize')).to.deep.include({ line: 12 });
  });
});

describe('manifests: hostile text', () => {
  it('says which line a tab or a torn quote stands in', () => {
    expect(told(`${HEAD}\nkind: Node\nmetadata:\n\tname: a\n`).join()).to.match(/document 1, line 4, .*YAML/);
    expect(told(`${HEAD}\nkind: "Node\n`).join()).to.match(/document 1, line \d+, .*YAML/);
  });

  it('does not laugh a billion times', () => {
    const laughs = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh']) {
      laughs.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
    }
    expect(told(laughs.join('\n')).join()).to.match(/anchors cannot be resolved/);
  });

  it('answers deep nesting with a problem', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    expect(told(deep).join()).to.match(/nested too deep/);
  });

  it('is not moved by names that objects have anyway', () => {
    const text = `${HEAD}\nkind: Node\nmetadata: {name: a}\n__proto__: {polluted: true}\nconstructor: 1\n`;
    expect(told(text).join('\n')).to.match(/__proto__.*\n.*constructor/);
    expect(({} as { polluted?: boolean }).polluted).to.equal(undefined);
    expect(told('kind: toString\n').join()).to.match(/is not a kind/);
  });

  it('answers anything with resources or problems that say where, never with an exception', () => {
    const piece = fc.constantFrom(
      HEAD,
      'kind: Node',
      'kind: IPPool',
      'metadata:',
      '  name: a',
      'spec:',
      '  cidr: 10.0.0.0/8',
      '---',
      '- a',
      '{',
      '}',
      '[',
      '&a',
      '*a',
      '? x',
      '!!binary x',
      '\t',
      ': ',
      '"',
      "'",
      '|',
      '>',
      '%YAML 1.1',
      '...',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('\n')),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const parsed = parseManifests(candidate, 'f');
        if (!parsed.ok) for (const problem of parsed.problems) expect(problem.at?.document).to.be.at.least(1);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('manifests: round trip', () => {
  it('reads what it printed as the same resource', () => {
    const text = fc.constantFrom('10.0.0.0/16', 'fd00::/64', '192.168.0.0/20');
    const word = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
    fc.assert(
      fc.property(word, text, fc.dictionary(word, word), fc.boolean(), (name, cidr, labels, natOutgoing) => {
        const value = {
          apiVersion: 'projectcalico.org/v3',
          kind: 'IPPool',
          metadata: { name, labels },
          spec: { cidr, natOutgoing },
        };
        const first = parseManifests(stringify(value));
        const again = first.ok ? parseManifests(stringify(first.value[0]?.resource)) : first;
        expect(again.ok && again.value[0]?.resource).to.deep.equal(first.ok && first.value[0]?.resource);
      }),
    );
  });
});

function node(name: string): { apiVersion: string; kind: string; metadata: { name: string } } {
  return { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name } };
}
