import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { formatProblem, unwrap } from '../api/problem.ts';
import { parseManifests } from '../api/index.ts';
import { expectationPath, loadExpectation, manifestsPath, parseExpectation } from './expectation.ts';
import { loadTopology } from './topology/load.ts';

const TOPOLOGIES = join(import.meta.dirname, '..', 'topologies');
const topology = unwrap(loadTopology(join(TOPOLOGIES, 'quickstart.clab.yml')));

describe('expectation', () => {
  it('of the quickstart: eight workloads, two on each node', () => {
    const expectation = unwrap(loadExpectation(topology));
    expect(expectation?.workloads).to.have.length(8);
    const perNode = Map.groupBy(expectation?.workloads ?? [], ({ node }) => node);
    expect([...perNode.values()].map(({ length }) => length)).to.deep.equal([2, 2, 2, 2]);
  });

  it('takes a pair that is not listed as one that must be blocked', () => {
    const expectation = unwrap(loadExpectation(topology));
    expect(expectation?.reaches('web-1', 'api-2')).to.equal(true);
    expect(expectation?.reaches('api-2', 'web-1')).to.equal(true);
    expect(expectation?.reaches('web-1', 'db-1')).to.equal(false);
    expect(expectation?.reaches('nobody', 'db-1')).to.equal(false);
  });

  for (const [what, text, want] of [
    [
      'a node that is none',
      expectationText({ node: 'a9' }),
      'e.yml, line 3, column 8: workloads.w.node: "a9" is no Poplin node of the topology; name one of a1, a2, b1, b2',
    ],
    [
      'a router as a node',
      expectationText({ node: 'tor-a' }),
      'e.yml, line 3, column 8: workloads.w.node: "tor-a" is no Poplin node of the topology; name one of a1, a2, b1, b2',
    ],
    [
      'a workload with the name of a node',
      expectationText({ name: 'a1' }),
      'e.yml, line 3, column 3: workloads.a1: "a1" is also the name of a node; give it another name',
    ],
    [
      'a target that is none',
      expectationText({ reach: 'w: [x]' }),
      'e.yml, line 4, column 18: reachable.w[0]: there is no workload "x"; name one of w',
    ],
    [
      'a source that is none',
      expectationText({ reach: 'v: []' }),
      'e.yml, line 4, column 14: reachable.v: there is no workload "v"; name one of w',
    ],
  ] as const)
    it(`refuses ${what}`, () => {
      const parsed = parseExpectation(text, 'e.yml', topology);
      expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).to.deep.equal([want]);
    });

  it('lies beside the topology', () => {
    expect(expectationPath('/t/x.clab.yml')).to.equal('/t/x.expect.yml');
    expect(manifestsPath('/t/x.clab.yaml')).to.equal('/t/x');
  });
});

describe('manifests of the quickstart', () => {
  const folder = manifestsPath(topology.file);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml')))
    it(`${file} is valid`, () => {
      const parsed = parseManifests(readFileSync(join(folder, file), 'utf8'), file);
      expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).to.deep.equal([]);
    });

  it('describe exactly the Poplin nodes of the topology, at the addresses that the topology gives them', () => {
    const nodes = unwrap(parseManifests(readFileSync(join(folder, 'nodes.yaml'), 'utf8'))).map(
      ({ resource }) => resource,
    );
    const poplin = topology.nodes.filter(({ role }) => role === 'poplin');
    expect(nodes.map(({ metadata }) => metadata.name)).to.deep.equal(poplin.map(({ name }) => name));
    for (const [index, node] of nodes.entries()) {
      const addresses = poplin[index]?.exec.flat() ?? [];
      if (node.kind !== 'Node') throw new Error(`a ${node.kind} in nodes.yaml`);
      expect(addresses).to.include(node.spec.bgp?.ipv4Address).and.to.include(node.spec.bgp?.ipv6Address);
    }
  });
});

function expectationText({ name = 'w', node = 'a1', reach = 'w: []' }): string {
  return `port: 80\nworkloads:\n  ${name}: { node: ${node}, namespace: d }\nreachable: { ${reach.replace('w:', `${name}:`)} }\n`;
}
