/** Kubernetes' objects as entries of the store, and back as patches. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  kindInfo,
  type Node,
  podInterfaceName,
  validate,
  wepName,
  type WorkloadEndpoint,
} from '../../../api/index.ts';
import { arbitraryResource } from '../../../api/testing/arbitraries.ts';
import { NATIVE_KINDS } from './index.ts';
import { isProblem, type KubernetesObject, type MergePatch } from './native.ts';

const native = (kind: string, objectKind: string) => {
  const found = NATIVE_KINDS.find((one) => one.kind === kind && one.objectKind === objectKind);
  if (found === undefined) throw new Error(`no native kind ${kind} of ${objectKind}`);
  return found;
};

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(typeof target === 'object' ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function written(
  kind: string,
  objectKind: string,
  value: unknown,
  object: KubernetesObject,
): KubernetesObject {
  const patch = native(kind, objectKind).write?.patchFor(value, object);
  if (patch === undefined || isProblem(patch)) throw new Error('not writable');
  return merged(object, patch) as KubernetesObject;
}

const NODE: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'worker-1',
    labels: { 'kubernetes.io/hostname': 'worker-1', shared: 'theirs' },
    annotations: {
      stranger: 'stays',
      'projectcalico.org/IPv4Address': '192.0.2.11/24',
      'projectcalico.org/IPv6Address': 'no address',
      'projectcalico.org/ASNumber': '65000.1',
      'projectcalico.org/IPv4VXLANTunnelAddr': '10.244.7.65',
      'projectcalico.org/VXLANTunnelMACAddr': '66:3B:10:aa:bb:cc',
      'projectcalico.org/WireguardPublicKey': 'key',
      'projectcalico.org/labels': '{"rack":"a","shared":"ours"}',
      'projectcalico.org/annotations': '{"note":"x"}',
    },
  },
  spec: { podCIDRs: ['10.1.0.0/24', 'fd01::/64'] },
  status: {
    addresses: [
      { type: 'InternalIP', address: '192.0.2.11' },
      { type: 'Hostname', address: 'worker-1' },
    ],
  },
};

const POD: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'prod', labels: { role: 'web' }, annotations: { stranger: 'stays' } },
  spec: { nodeName: 'worker-1', containers: [] },
};

const ENDPOINT = 'worker--1-k8s-web--0-eth0';

describe('kinds that Kubernetes keeps itself', () => {
  it('a Node is what Kubernetes knows and what its annotations say', () => {
    const [entry] = native('Node', 'Node').toEntries(NODE);
    expect(entry?.key).to.deep.equal({ kind: 'Node', scope: '', name: 'worker-1' });
    expect(entry?.value).to.deep.equal({
      apiVersion: 'projectcalico.org/v3',
      kind: 'Node',
      metadata: {
        name: 'worker-1',
        labels: { 'kubernetes.io/hostname': 'worker-1', shared: 'theirs', rack: 'a' },
        annotations: { note: 'x' },
      },
      spec: {
        bgp: { asNumber: 4_259_840_001, ipv4Address: '192.0.2.11/24' },
        ipv4VXLANTunnelAddr: '10.244.7.65',
        vxlanTunnelMACAddr: '66:3b:10:aa:bb:cc',
        orchRefs: [{ nodeName: 'worker-1', orchestrator: 'k8s' }],
        addresses: [
          { address: '192.0.2.11/24', type: 'CalicoNodeIP' },
          { address: '192.0.2.11', type: 'InternalIP' },
        ],
      },
      status: { wireguardPublicKey: 'key', podCIDRs: ['10.1.0.0/24', 'fd01::/64'] },
    });
    expect(validate(entry?.value).ok).to.equal(true);
  });

  it('what is written to a Node is read again, and nothing of Kubernetes’ is touched', () => {
    fc.assert(
      fc.property(arbitraryResource(kindInfo('Node')!), (value) => {
        const wanted = value as Node;
        const after = written('Node', 'Node', wanted, NODE);
        expect(after).to.deep.include({ spec: NODE['spec'], status: NODE['status'] });
        expect(after.metadata.labels).to.equal(NODE.metadata.labels);
        expect(after.metadata.annotations).to.include({ stranger: 'stays' });
        const read = native('Node', 'Node').toEntries(after)[0]?.value as Node;
        const { orchRefs: _, addresses: __, ...theirs } = wanted.spec;
        const { orchRefs: ___, addresses: ____, ...ours } = read.spec;
        expect(ours).to.deep.equal(
          'wireguard' in theirs && Object.keys(theirs.wireguard ?? {}).length === 0
            ? without(theirs, 'wireguard')
            : theirs,
        );
        expect(read.metadata.labels).to.deep.equal({ ...wanted.metadata.labels, ...NODE.metadata.labels });
        // A second time there is nothing to say.
        expect(written('Node', 'Node', read, after)).to.deep.equal(after);
        expect(native('Node', 'Node').write?.patchFor(read, after)).to.deep.equal({});
      }),
      { numRuns: 40 },
    );
  });

  it('namespaces and accounts are Profiles, found by their names', () => {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } };
    expect(native('Profile', 'Namespace').toEntries(object)[0]?.key.name).to.equal('kns.prod');
    const locate = (objectKind: string, name: string) =>
      native('Profile', objectKind).locate({ kind: 'Profile', scope: '', name });
    expect(locate('Namespace', 'kns.prod')).to.deep.equal({ name: 'prod' });
    expect(locate('ServiceAccount', 'ksa.prod.test.foo')).to.deep.equal({
      namespace: 'prod',
      name: 'test.foo',
    });
    for (const objectKind of ['Namespace', 'ServiceAccount'])
      for (const name of ['kns.', 'ksa.prod', 'ksa..x', 'open', 'ns.prod'])
        expect(locate(objectKind, name), name).to.equal(undefined);
  });

  it('an agent’s endpoint is written into the pod, and read from it before kubelet tells', () => {
    const endpoint: WorkloadEndpoint = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'WorkloadEndpoint',
      metadata: {
        name: ENDPOINT,
        namespace: 'prod',
        annotations: { 'cni.poplin.dev/handle': 'h', 'not.ours': 'x' },
      },
      spec: {
        orchestrator: 'k8s',
        node: 'worker-1',
        pod: 'web-0',
        endpoint: 'eth0',
        containerID: '4f1c',
        ipNetworks: ['10.244.7.66/32', 'fd00:10:244::1/128'],
        interfaceName: podInterfaceName('prod', 'web-0'),
        mac: 'ee:ee:ee:ee:ee:01',
        profiles: ['kns.prod'],
      },
    };
    const after = written('WorkloadEndpoint', 'Pod', endpoint, POD);
    expect(after.metadata.annotations).to.deep.equal({
      stranger: 'stays',
      'cni.poplin.dev/handle': 'h',
      'cni.poplin.dev/mac': 'ee:ee:ee:ee:ee:01',
      'cni.projectcalico.org/podIP': '10.244.7.66/32',
      'cni.projectcalico.org/podIPs': '10.244.7.66/32,fd00:10:244::1/128',
      'cni.projectcalico.org/containerID': '4f1c',
    });
    const [entry] = native('WorkloadEndpoint', 'Pod').toEntries(after);
    expect(entry?.key).to.deep.equal({ kind: 'WorkloadEndpoint', scope: 'prod', name: ENDPOINT });
    const read = entry?.value as WorkloadEndpoint;
    expect(read.spec).to.deep.equal(endpoint.spec);
    expect(read.metadata.annotations).to.deep.equal({ 'cni.poplin.dev/handle': 'h' });
    expect(native('WorkloadEndpoint', 'Pod').write?.patchFor(read, after)).to.deep.equal({});

    const key = { kind: 'WorkloadEndpoint', scope: 'prod', name: ENDPOINT };
    const gone = native('WorkloadEndpoint', 'Pod').write?.removalPatch?.(key, after) as MergePatch;
    expect((merged(after, gone) as KubernetesObject).metadata.annotations).to.deep.equal({
      stranger: 'stays',
      'cni.projectcalico.org/podIP': '',
      'cni.projectcalico.org/podIPs': '',
      'cni.projectcalico.org/containerID': '4f1c',
    });
  });

  it('a pod is found by the name of its endpoint, whatever dashes there are', () => {
    const part = fc.stringMatching(/^[a-z0-9](?:[-a-z0-9.]{0,8}[a-z0-9])?$/);
    fc.assert(
      fc.property(part, part, (node, pod) => {
        const name = wepName({ node, orchestrator: 'k8s', pod, endpoint: 'eth0' })!;
        const place = native('WorkloadEndpoint', 'Pod').locate({
          kind: 'WorkloadEndpoint',
          scope: 'prod',
          name,
        });
        expect(place).to.deep.equal({ namespace: 'prod', name: pod });
      }),
    );
    for (const name of ['n-cni-4f1c-eth0', 'n-k8s-p-net1', 'n-k8s-p', 'x'])
      expect(
        native('WorkloadEndpoint', 'Pod').locate({ kind: 'WorkloadEndpoint', scope: 'prod', name }),
      ).to.equal(undefined);
  });

  it('policies and services are kept as they are, but for the name of their kind', () => {
    const object: KubernetesObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web', namespace: 'prod', resourceVersion: '7', uid: 'u', managedFields: [{}] },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    };
    const policies = native('KubernetesNetworkPolicy', 'NetworkPolicy');
    expect(policies).to.deep.include({ plural: 'networkpolicies', apiVersion: 'networking.k8s.io/v1' });
    const [entry] = policies.toEntries(object);
    expect(entry).to.deep.equal({
      key: { kind: 'KubernetesNetworkPolicy', scope: 'prod', name: 'web' },
      value: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'KubernetesNetworkPolicy',
        metadata: { name: 'web', namespace: 'prod', uid: 'u' },
        spec: object['spec'],
      },
    });
    expect(validate(entry?.value)).to.deep.equal({ ok: true, value: entry?.value });
    expect(policies.locate(entry!.key)).to.deep.equal({ namespace: 'prod', name: 'web' });
  });
});

function without(fields: object, name: string): object {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));
}
