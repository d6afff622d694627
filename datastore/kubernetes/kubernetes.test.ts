/** The pure parts of the Kubernetes engine: names, positions in history, resources as Calico keeps them, definitions. */
import { expect } from 'chai';
import fc from 'fast-check';
import { PoplinError } from '../../api/problem.ts';
import { customResourceDefinitions } from './definitions.ts';
import { parseLocation } from './location.ts';
import { affinityName, cidrName, handleName, hashedName, hostnameHash, isName, mirrorUid } from './names.ts';
import type { KubernetesObject } from './native/native.ts';
import { decodeResource, encodeResource } from './resource-values.ts';
import { compareVersions, formatPosition, parsePosition, positionOf, Progress } from './revisions.ts';
import { refusal } from './status.ts';

describe('names in Kubernetes', () => {
  it("are Calico's", () => {
    expect(cidrName('10.244.7.64/26')).to.equal('10-244-7-64-26');
    expect(cidrName('fd00:10:244::40/122')).to.equal('fd00-10-244--40-122');
    expect(affinityName('worker-1.example.com', '10.244.7.64/26')).to.equal(
      'worker-1.example.com-10-244-7-64-26',
    );
    expect(handleName('k8s-pod-network.4F1C')).to.equal('k8s-pod-network.4f1c');
    expect(mirrorUid('d5f14096-cb92-4ec5-ac0e-396742e1d2c4')).to.equal(
      'ab8f0269-d349-4ea3-ac70-9ce642874b23',
    );
    expect(hostnameHash('node-a')).to.equal('PY3TQE2E3XMTETLM2MJO3UITKPFB27YUJ4T4E5XGPEJON3SM4QAA');
  });

  it('of long hosts are cut and told apart by a hash', () => {
    const host = 'a'.repeat(250);
    const name = affinityName(host, '10.0.0.0/26');
    expect(name).to.match(/^a+-10-0-0-0-26-[0-9a-f]{11}$/);
    expect(name.length).to.be.lessThan(253);
    expect(affinityName(`${host}b`, '10.0.0.0/26')).to.not.equal(name);
    const shortest = 'a'.repeat(252 - '-10-0-0-0-26'.length);
    expect(affinityName(shortest, '10.0.0.0/26')).to.equal(`${shortest}-10-0-0-0-26`);
  });

  it('are taken by Kubernetes whatever the key is, and differ where keys differ', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (a, b) => {
        for (const name of [handleName(a), hashedName(a, a)]) expect(isName(name), name).to.equal(true);
        if (a !== b) expect(hashedName(a, a)).to.not.equal(hashedName(b, b));
      }),
    );
  });

  it('a uid is the mirror of its mirror', () => {
    fc.assert(fc.property(fc.uuid(), (uid) => mirrorUid(mirrorUid(uid)) === uid));
  });
});

describe('positions in the history of an API server', () => {
  const version = fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String);

  it('are compared as numbers of any length', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        const wanted = BigInt(a) < BigInt(b) ? -1 : Number(BigInt(a) > BigInt(b));
        expect(Math.sign(compareVersions(a, b))).to.equal(wanted);
      }),
    );
  });

  it('come back from text', () => {
    expect(parsePosition('12')).to.deep.equal({ base: '12', ahead: new Map() });
    const text = '12;Node/nodes=15;IPPool/ippools.crd.projectcalico.org=13';
    expect(formatPosition(parsePosition(text))).to.equal(text);
    for (const wrong of ['', 'x', '12;Node/nodes', '-1', '012'])
      expect(() => parsePosition(wrong)).to.throw(TypeError);
  });

  it('of several streams never pass over what one of them has not told', () => {
    const streams = ['A', 'B', 'C'];
    const step = fc.record({ stream: fc.constantFrom(...streams), by: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const progress = new Progress(parsePosition('10'), streams);
        const reached = new Map(streams.map((stream) => [stream, 10]));
        for (const { stream, by } of steps) {
          reached.set(stream, (reached.get(stream) ?? 0) + by);
          progress.advance(stream, String(reached.get(stream)));
          const position = parsePosition(progress.revision);
          for (const [one, at] of reached) expect(positionOf(one, position)).to.equal(String(at));
          expect(position.base).to.equal(String(Math.min(...reached.values())));
        }
      }),
    );
  });
});

describe('a v3 resource in a custom resource', () => {
  const owner = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Tier',
    name: 't',
    uid: 'd5f14096-cb92-4ec5-ac0e-396742e1d2c4',
  };
  const pool = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: {
      name: 'lab',
      creationTimestamp: '2026-08-01T10:00:00Z',
      labels: { rack: 'a', 'projectcalico.org/x': '1' },
      annotations: { note: 'mine' },
      ownerReferences: [owner],
    },
    spec: { cidr: '10.0.0.0/16', tomorrow: true },
    status: { conditions: [] },
  };
  const key = { kind: 'IPPool', scope: '', name: 'lab' };
  const stored = encodeResource(key, pool, 'IPPool', 'lab') as KubernetesObject;

  it('keeps its metadata in an annotation, and only what is Calico’s in sight', () => {
    expect(stored.metadata.labels).to.deep.equal({ 'projectcalico.org/x': '1' });
    const { 'projectcalico.org/metadata': text = '', ...others } = stored.metadata.annotations ?? {};
    expect(others).to.deep.equal({});
    expect(JSON.parse(text)).to.deep.equal({
      creationTimestamp: '2026-08-01T10:00:00Z',
      labels: pool.metadata.labels,
      annotations: { note: 'mine' },
      ownerReferences: [
        { ...owner, apiVersion: 'crd.projectcalico.org/v1', uid: 'ab8f0269-d349-4ea3-ac70-9ce642874b23' },
      ],
    });
  });

  it('comes back, with what only newer releases know', () => {
    expect(decodeResource('IPPool', stored)).to.deep.equal({ key, value: pool });
  });

  it('made with kubectl is read by its own metadata', () => {
    const made = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'IPPool',
      metadata: {
        name: 'by-hand',
        uid: 'd5f14096-cb92-4ec5-ac0e-396742e1d2c4',
        resourceVersion: '7',
        creationTimestamp: '2026-08-01T10:00:00Z',
        labels: { rack: 'b' },
        managedFields: [{}],
      },
      spec: { cidr: '10.0.0.0/16' },
    };
    expect(decodeResource('IPPool', made).value).to.deep.equal({
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: {
        name: 'by-hand',
        uid: 'ab8f0269-d349-4ea3-ac70-9ce642874b23',
        creationTimestamp: '2026-08-01T10:00:00Z',
        labels: { rack: 'b' },
      },
      spec: made.spec,
    });
  });

  it('of a policy that an older Calico stored has its own name', () => {
    expect(nameOf('default.web', 'default')).to.equal('web');
    expect(nameOf('default.web', 'platform')).to.equal('default.web');
    expect(nameOf('knp.default.web', 'default')).to.equal('knp.default.web');
  });
});

function nameOf(name: string, tier: string): string {
  const object = {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'GlobalNetworkPolicy',
    metadata: { name },
    spec: { tier },
  };
  return decodeResource('GlobalNetworkPolicy', object).key.name;
}

describe('definitions of custom resources', () => {
  it('are structural: every node has a type or takes anything, and no field that we do not know is dropped', () => {
    const problems: string[] = [];
    const walk = (schema: Record<string, unknown>, path: string): void => {
      const loose = schema['x-kubernetes-preserve-unknown-fields'] === true;
      if (schema['type'] === undefined && !loose && schema['x-kubernetes-int-or-string'] !== true)
        problems.push(`${path} has no type`);
      if (schema['properties'] !== undefined && !loose) problems.push(`${path} drops fields`);
      for (const banned of ['default', 'required', 'enum', 'anyOf', 'oneOf'])
        if (banned in schema) problems.push(`${path} has ${banned}`);
      for (const [name, field] of Object.entries(schema['properties'] ?? {}))
        if (path.includes('.') || name === 'spec' || name === 'status')
          walk(field as never, `${path}.${name}`);
      for (const inner of ['items', 'additionalProperties'])
        if (typeof schema[inner] === 'object') walk(schema[inner] as never, `${path}.${inner}`);
    };
    const definitions = customResourceDefinitions() as readonly {
      metadata: { name: string };
      spec: { versions: readonly { schema: { openAPIV3Schema: Record<string, unknown> } }[] };
    }[];
    for (const { metadata, spec } of definitions)
      walk(spec.versions[0]!.schema.openAPIV3Schema, metadata.name.split('.')[0] ?? '');
    expect(problems).to.deep.equal([]);
    expect(definitions.length).to.be.greaterThan(20);
  });
});

describe('locations of Kubernetes datastores', () => {
  it('name a file, a context, or nothing', () => {
    const location = 'kubernetes:///etc/kube.conf?context=lab';
    expect(parseLocation(location)).to.deep.equal({
      location,
      inCluster: false,
      path: '/etc/kube.conf',
      context: 'lab',
    });
    expect(parseLocation('kubernetes:')).to.deep.equal({ location: 'kubernetes:', inCluster: false });
    expect(parseLocation('kubernetes://')).to.deep.include({ inCluster: false });
    expect(parseLocation('kubernetes:in-cluster')).to.deep.include({ inCluster: true });
    for (const wrong of ['kubernetes:///x?user=a', 'kubernetes:relative', 'kubernetes:in-cluster?context=a'])
      expect(() => parseLocation(wrong)).to.throw(PoplinError);
  });
});

describe('refusals of an API server', () => {
  const resource = {
    group: '',
    version: 'v1',
    plural: 'nodes',
    objectKind: 'Node',
    namespaced: false,
    optional: false,
  };
  const told = (status: number, message: string): string =>
    refusal(
      { status, retryAfter: undefined, text: JSON.stringify({ kind: 'Status', message }) },
      { method: 'PATCH', path: '/' },
      resource,
    ).message;

  it('name the right that is missing, with its subresource', () => {
    const message =
      'nodes "a" is forbidden: User "u" cannot patch resource "nodes/status" in API group "" at the cluster scope';
    expect(told(403, message)).to.match(
      /does not let us patch nodes.*resources: \["nodes\/status"\], verbs: \["patch"\]/,
    );
  });

  it('that no role would help against are told as they are', () => {
    expect(told(403, 'unable to create new content in namespace x because it is being terminated')).to.match(
      /refuses it \(403\): unable to create/,
    );
    expect(told(404, '404 page not found')).to.match(/does not know nodes; install/);
  });
});
