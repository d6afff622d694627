import { expect } from 'chai';
import { affinity, node, resource } from '../cluster/testing.ts';
import { World } from './world.ts';

const key = (kind: string, name: string, scope = '') => ({ kind, scope, name });
const NODE = key('Node', 'n1');
const BLOCK = key('BlockAffinity', '10.244.1.0/26', 'host:n1');

describe('world', () => {
  it('reads resources and affinities, and forgets what is gone', () => {
    const world = new World();
    world.apply([
      { key: NODE, value: node('n1', 1) },
      { key: BLOCK, value: { state: 'confirmed', deleted: false } },
    ]);
    expect(world.resources().nodes.map(({ metadata }) => metadata.name)).to.deep.equal(['n1']);
    expect(world.resources().affinities).to.deep.equal([affinity('n1', '10.244.1.0/26')]);
    world.apply([
      { key: NODE, value: undefined },
      { key: BLOCK, value: undefined },
    ]);
    expect([world.resources().nodes, world.resources().affinities, world.problems]).to.deep.equal([
      [],
      [],
      [],
    ]);
  });

  it('keeps the last form of an object that could be read, tells the problem, and drops it when mended or gone', () => {
    const world = new World();
    world.apply([{ key: NODE, value: node('n1', 1) }]);
    const broken = { ...node('n1', 1), spec: { bgp: { ipv4Address: 'nonsense' } } };
    world.apply([{ key: NODE, value: broken }]);
    expect(world.resources().nodes[0]?.spec.bgp?.ipv4Address).to.equal('10.0.0.1/24');
    expect(world.problems.map(({ resource, field }) => [resource, field])).to.deep.equal([
      ['Node/n1', 'spec.bgp.ipv4Address'],
    ]);
    world.apply([{ key: NODE, value: node('n1', 2) }]);
    expect([world.resources().nodes[0]?.spec.bgp?.ipv4Address, world.problems]).to.deep.equal([
      '10.0.0.2/24',
      [],
    ]);
    world.apply([{ key: NODE, value: 7 }]);
    world.apply([{ key: NODE, value: undefined }]);
    expect([world.resources().nodes, world.problems]).to.deep.equal([[], []]);
  });

  it('says which changes no configuration can depend on', () => {
    const world = new World();
    const SLICE = key('EndpointSlice', 'web-1', 'shop');
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'shop' },
      addressType: 'IPv4',
      endpoints: [],
    };
    const put = (at: ReturnType<typeof key>, value: unknown): boolean => world.apply([{ key: at, value }]);
    expect(put(NODE, node('n1', 1)), 'a node').to.equal(true);
    expect(put(NODE, { ...node('n1', 1), status: { podCIDRs: ['10.0.0.0/24'] } }), 'it is well').to.equal(
      false,
    );
    expect(put(NODE, node('n1', 1, { rack: 'a' })), 'another label').to.equal(true);
    expect(put(NODE, { ...node('n1', 1), spec: { bgp: { ipv4Address: 'x' } } }), 'broken').to.equal(true);
    expect(put(NODE, node('n1', 1, { rack: 'a' })), 'mended').to.equal(true);
    expect(put(SLICE, slice), 'nobody is told of services').to.equal(false);
    const configuration = resource('BGPConfiguration', 'default', {
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
    });
    expect(put(key('BGPConfiguration', 'default'), configuration)).to.equal(true);
    expect(put(SLICE, slice), 'now they are').to.equal(true);
    expect(put(SLICE, undefined), 'gone').to.equal(true);
    expect(put(NODE, undefined), 'gone').to.equal(true);
  });

  for (const [what, value, state] of [
    ['an empty affinity as confirmed', {}, 'confirmed'],
    ['a state', { state: 'pending' }, 'pending'],
    ['fields that it does not know', { state: 'confirmed', type: 'host', claimTime: 'x' }, 'confirmed'],
  ] as const)
    it(`reads ${what}`, () => {
      const world = new World();
      world.apply([{ key: BLOCK, value }]);
      expect(world.resources().affinities.map((each) => each.state)).to.deep.equal([state]);
    });

  for (const [what, at, value] of [
    ['a name that is no CIDR', key('BlockAffinity', 'x', 'host:n1'), {}],
    ['a value that is no object', BLOCK, 'confirmed'],
    ['a state that is no text', BLOCK, { state: 1 }],
  ] as const)
    it(`tells of an affinity with ${what}`, () => {
      const world = new World();
      world.apply([{ key: at, value }]);
      expect(world.problems).to.have.lengthOf(1);
      expect(world.resources().affinities).to.deep.equal([]);
    });

  it('never takes a virtual owner for a node', () => {
    const world = new World();
    world.apply([{ key: key('BlockAffinity', '10.244.1.0/26', 'virtual:n1'), value: {} }]);
    expect(world.resources().affinities.map((each) => each.node)).to.deep.equal(['']);
  });
});
