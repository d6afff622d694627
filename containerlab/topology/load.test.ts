import { join } from 'node:path';
import { expect } from 'chai';
import { formatProblem } from '../../api/problem.ts';
import { loadTopology, parseTopology } from './load.ts';

const QUICKSTART = join(import.meta.dirname, '..', '..', 'topologies', 'quickstart.clab.yml');

describe('topology file', () => {
  it('reads the quickstart: seven nodes by role, six links, paths absolute', () => {
    const loaded = loadTopology(QUICKSTART);
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
    const { nodes, links, ignored } = loaded.value;
    expect(nodes.map(({ name, role }) => `${name}:${role}`).join(' ')).to.equal(
      'spine:bird tor-a:bird tor-b:frr a1:poplin a2:poplin b1:poplin b2:poplin',
    );
    expect(links).to.have.length(6);
    expect(ignored).to.deep.equal([]);
  });

  it('binds on each quickstart router the very file that is its startup-config', () => {
    const loaded = loadTopology(QUICKSTART);
    if (!loaded.ok) throw new Error('unreadable');
    for (const node of loaded.value.nodes.filter(({ role }) => role !== 'poplin'))
      expect(node.binds.map(({ source }) => source)).to.include(node.startupConfig);
  });

  it('lays defaults, kind, group and node over one another; lists join, maps merge, single values replace', () => {
    const loaded = parse(`
name: t
topology:
  defaults: { kind: linux, exec: [ip -V], env: { A: 1, B: 1 }, labels: { x: d } }
  kinds: { linux: { image: poplin/bird:1, exec: ["true"], env: { B: 2 } } }
  groups: { g: { env: { C: true } } }
  nodes:
    one: { group: g, exec: ["echo 'a b'"], image: "reg:5000/frrouting/frr:8" }
    two:
`);
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
    const [one, two] = loaded.value.nodes;
    expect(one?.exec).to.deep.equal([['ip', '-V'], ['true'], ['echo', 'a b']]);
    expect(one?.env).to.deep.equal({ A: '1', B: '2', C: 'true' });
    expect(one?.role).to.equal('frr');
    expect(two?.role).to.equal('bird');
    expect(two?.env).to.deep.equal({ A: '1', B: '2' });
  });

  it('names keys that mean something to containers only', () => {
    const loaded = parse(withNode('{ kind: linux, memory: 1Gb, ports: ["80:80"] }'));
    expect(loaded.ok && loaded.value.ignored).to.deep.equal(['memory', 'ports']);
  });

  const bad: readonly { it: string; text: string; want: string }[] = [
    {
      it: 'a link to a node that is not there',
      text: withLinks('[["n1:eth1", "n3:eth1"]]'),
      want: 't.clab.yml, line 7, column 30: topology.links[0].endpoints[1]: "n3:eth1" names the node "n3", which topology.nodes does not have; name one of n1, n2',
    },
    {
      it: 'an interface that two links use',
      text: withLinks('[["n1:eth1", "n2:eth1"], ["n1:eth1", "n2:eth2"]]'),
      want: 't.clab.yml, line 8, column 19: topology.links[1].endpoints[0]: the interface "n1:eth1" is already used by topology.links[0]; give each end its own interface',
    },
    {
      it: 'a link whose two ends are one',
      text: withLinks('[["n1:eth1", "n1:eth1"]]'),
      want: 't.clab.yml, line 7, column 30: topology.links[0].endpoints[1]: the interface "n1:eth1" is already used by topology.links[0]; give each end its own interface',
    },
    {
      it: 'an endpoint without an interface',
      text: withLinks('[["n1", "n2:eth1"]]'),
      want: 't.clab.yml, line 7, column 19: topology.links[0].endpoints[0]: "n1" is not an endpoint; write NODE:INTERFACE, the interface at most 15 characters',
    },
    {
      it: 'an interface name that the kernel refuses',
      text: withLinks('[["n1:interface-too-long", "n2:eth1"]]'),
      want: 't.clab.yml, line 7, column 19: topology.links[0].endpoints[0]: "n1:interface-too-long" is not an endpoint; write NODE:INTERFACE, the interface at most 15 characters',
    },
    {
      it: 'a misspelt key of a node, with what was meant',
      text: withNode('{ kind: linux, exe: [true] }'),
      want: 't.clab.yml, line 4, column 23: topology.nodes.n.exe: containerlab knows no key "exe" here; write "exec" if that is what you meant, or remove it',
    },
    {
      it: 'a key that means nothing',
      text: `${withNode('{ kind: linux }')}flavour: sweet\n`,
      want: 't.clab.yml, line 5, column 1: flavour: containerlab knows no key "flavour" here; remove it',
    },
    {
      it: 'a wrong type',
      text: withNode('{ kind: linux, exec: ip link }'),
      want: 't.clab.yml, line 4, column 23: topology.nodes.n.exec: "ip link" does not fit: Invalid input: expected array, received string; give an array',
    },
    {
      it: 'a kind that only a container can be',
      text: withNode('{ kind: nokia_srlinux }'),
      want: 't.clab.yml, line 4, column 10: topology.nodes.n.kind: the kind "nokia_srlinux" needs its vendor\'s container; write `kind: linux` with an image of BIRD, FRR or Poplin, or run this file with containerlab itself',
    },
    {
      it: 'a startup-config that is not there',
      text: withNode('{ kind: linux, startup-config: none.conf }'),
      want: 't.clab.yml, line 4, column 23: topology.nodes.n.startup-config: there is no file /nowhere/none.conf; create it, or mend the path',
    },
    {
      it: 'quotes without their end',
      text: withNode(`{ kind: linux, exec: ["echo 'x"] }`),
      want: `t.clab.yml, line 4, column 23: topology.nodes.n.exec: the command "echo 'x" has an opening ' without its end; balance the quotes`,
    },
    {
      it: 'no name',
      text: 'topology: { nodes: { n: { kind: linux } } }\n',
      want: 't.clab.yml, line 1, column 1: name: is missing; add it; see topologies/quickstart.clab.yml for an example',
    },
    {
      it: 'a repeated key',
      text: 'name: a\nname: b\n',
      want: 't.clab.yml, line 2, column 1: not YAML: Map keys must be unique at line 2, column 1:; mend the line; YAML is sensitive to indentation and forbids repeated keys',
    },
  ];
  for (const { it: name, text, want } of bad)
    it(`refuses ${name}`, () => {
      const loaded = parse(text);
      expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).to.deep.equal([want]);
    });

  it('tells every problem of a file at once, and never throws on any YAML', () => {
    const loaded = parse(withLinks('[["n1:eth1", "x:eth1"], ["y:eth1", "n2:eth1"]]'));
    expect(loaded.ok ? 0 : loaded.problems.length).to.equal(2);
    for (const text of [
      '',
      '[]',
      'null',
      '42',
      'name:',
      'topology: []',
      'topology: { nodes: [] }',
      '%',
      '\u0000',
      '&a *a',
    ])
      expect(parse(text).ok, JSON.stringify(text)).to.equal(false);
  });

  it('says that a file is not there', () => {
    const loaded = loadTopology('/nowhere/x.clab.yml');
    expect(loaded.ok ? '' : loaded.problems[0]?.code).to.equal('TOPOLOGY_UNREADABLE');
  });
});

function parse(text: string) {
  return parseTopology(text, '/nowhere/t.clab.yml', 't.clab.yml');
}

function withNode(settings: string): string {
  return `name: t\ntopology:\n  nodes:\n    n: ${settings}\n`
    .replace('    n: ', '    "n": ')
    .replace('"n"', 'n');
}

/** Two nodes, one link a line, its endpoints as given. */
function withLinks(links: string): string {
  const lines = (JSON.parse(links) as string[][]).map((ends) => `    - endpoints: ${JSON.stringify(ends)}`);
  return `name: t\ntopology:\n  nodes:\n    n1: { kind: linux }\n    n2: { kind: linux }\n  links:\n${lines.join('\n')}\n`.replaceAll(
    '","',
    '", "',
  );
}
