import { expect } from 'chai';
import type { ResourceChange } from '../calc/calculator.ts';
import { divideFeed } from './set-feed.ts';

function change(kind: string, name: string, spec?: object): ResourceChange {
  return { key: { kind, scope: 'test', name }, value: spec === undefined ? undefined : { kind, spec } };
}

function namesOf(changes: readonly ResourceChange[]): readonly string[] {
  return changes.map(({ key }) => key.name);
}

const ALL: readonly ResourceChange[] = [
  change('Profile', 'profile', {}),
  change('WorkloadEndpoint', 'there', { node: 'other' }),
  change('NetworkPolicy', 'policy', {}),
  change('WorkloadEndpoint', 'here', { node: 'node' }),
  change('NetworkSet', 'set', { nets: [] }),
  change('GlobalNetworkSet', 'global', { nets: [] }),
  change('EndpointSlice', 'slice', {}),
  change('HostEndpoint', 'host', { node: 'other' }),
];

describe('what only feeds sets', () => {
  it('is what other nodes have and sets hold, in order', () => {
    const { first, rest } = divideFeed(ALL, 'node');
    expect(namesOf(rest)).to.deep.equal(['there', 'set', 'global', 'slice']);
    expect(namesOf(first)).to.deep.equal(['profile', 'policy', 'here', 'host']);
  });

  for (const [title, value] of [
    ['gone', undefined],
    ['no object', 'x'],
    ['without a spec', {}],
    ['of no node', { spec: {} }],
    ['of a node that is no name', { spec: { node: 7 } }],
  ] as const)
    it(`is no pod that is ${title}`, () => {
      const pod = { key: { kind: 'WorkloadEndpoint', scope: 'test', name: 'pod' }, value };
      expect(divideFeed([pod], 'node')).to.deep.equal({ first: [pod], rest: [] });
    });

  it('is nothing where a pod is told of twice: the later word counts', () => {
    const moved = [...ALL, change('WorkloadEndpoint', 'there', { node: 'node' })];
    expect(divideFeed(moved, 'node')).to.deep.equal({ first: moved, rest: [] });
  });
});
