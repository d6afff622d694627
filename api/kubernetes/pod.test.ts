/** Namespaces, accounts and pods in our terms: the facts of Calico's own conversion tests. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Pod } from '../kinds/kubernetes-data.ts';
import { podInterfaceName } from '../kinds/workload-names.ts';
import { validate } from '../validate.ts';
import { hasEndpoint, madeUid, namespaceProfile, podEndpoint, serviceAccountProfile } from './index.ts';
import { parseQuantity } from './quantity.ts';

interface Parts {
  readonly name?: string;
  readonly annotations?: Record<string, string>;
  readonly spec?: object;
  readonly status?: object;
  readonly deleted?: boolean;
}

function pod({ name = 'pod-a', annotations = {}, spec = {}, status = {}, deleted = false }: Parts): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      labels: { labelA: 'valueA' },
      annotations: { arbitrary: 'annotation', ...annotations },
      ...(deleted ? { deletionTimestamp: '2026-08-01T10:00:00Z' } : {}),
    },
    spec: { nodeName: 'node-a', ...spec },
    status,
  } as Pod;
}

function endpoint(parts: Parts) {
  const { resource } = podEndpoint(pod(parts));
  if (resource === undefined) throw new Error('the pod has no endpoint');
  expect(validate(resource)).to.deep.equal({ ok: true, value: resource });
  return resource;
}

const networks = (parts: Parts) => endpoint(parts).spec.ipNetworks;

describe('api/kubernetes: identity', () => {
  it('turns the bits of a uid, twice back to what it was', () => {
    expect(madeUid('d5f14096-cb92-4ec5-ac0e-396742e1d2c4')).to.equal('ab8f0269-d349-4ea3-ac70-9ce642874b23');
    fc.assert(
      fc.property(fc.uuid(), (uid) => {
        expect(madeUid(madeUid(uid))).to.equal(uid);
      }),
    );
    expect(madeUid('no uuid')).to.equal('no uuid');
  });
});

describe('api/kubernetes: profiles', () => {
  it('a namespace lends its labels and is open', () => {
    const profile = namespaceProfile({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'prod', labels: { 'foo.org/bar': 'baz' } },
    });
    expect(profile).to.deep.include({ kind: 'Profile', metadata: { name: 'kns.prod' } });
    expect(profile.spec).to.deep.equal({
      ingress: [{ action: 'Allow' }],
      egress: [{ action: 'Allow' }],
      labelsToApply: { 'pcns.foo.org/bar': 'baz', 'pcns.projectcalico.org/name': 'prod' },
    });
  });

  it('an account lends its labels', () => {
    const profile = serviceAccountProfile({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'test.foo', namespace: 'prod', labels: { a: 'b' } },
    });
    expect(profile.metadata).to.deep.equal({ name: 'ksa.prod.test.foo' });
    expect(profile.spec).to.deep.equal({
      labelsToApply: { 'pcsa.a': 'b', 'pcsa.projectcalico.org/name': 'test.foo' },
    });
  });
});

describe('api/kubernetes: pods', () => {
  it('become endpoints with their labels, ports and profiles', () => {
    const { metadata, spec } = endpoint({
      name: 'poda',
      spec: {
        nodeName: 'nodea',
        serviceAccountName: 'web',
        containers: [
          { ports: [{ containerPort: 5678 }, { name: 'no-proto', containerPort: 1234 }] },
          {
            ports: [
              { name: 'tcp-host', protocol: 'TCP', containerPort: 8081, hostPort: 6789, hostIP: '192.0.2.4' },
              { protocol: 'TCP', containerPort: 500, hostPort: 5000 },
              { name: 'udp-proto', protocol: 'UDP', containerPort: 432 },
              { name: 'unkn-proto', protocol: 'unknown', containerPort: 567 },
            ],
          },
        ],
        initContainers: [{ ports: [{ name: 'sctp-proto', protocol: 'SCTP', containerPort: 891 }] }],
      },
      status: { podIP: '192.168.0.1' },
    });
    expect(metadata).to.deep.equal({
      name: 'nodea-k8s-poda-eth0',
      namespace: 'default',
      labels: {
        labelA: 'valueA',
        'projectcalico.org/namespace': 'default',
        'projectcalico.org/orchestrator': 'k8s',
        'projectcalico.org/serviceaccount': 'web',
      },
    });
    expect(spec).to.deep.equal({
      orchestrator: 'k8s',
      node: 'nodea',
      pod: 'poda',
      endpoint: 'eth0',
      serviceAccountName: 'web',
      interfaceName: 'calieaa0238ca22',
      ipNetworks: ['192.168.0.1/32'],
      profiles: ['kns.default', 'ksa.default.web'],
      ports: [
        { name: 'no-proto', protocol: 'TCP', port: 1234 },
        { name: 'tcp-host', protocol: 'TCP', port: 8081, hostPort: 6789, hostIP: '192.0.2.4' },
        { protocol: 'TCP', port: 500, hostPort: 5000 },
        { name: 'udp-proto', protocol: 'UDP', port: 432 },
        { name: 'sctp-proto', protocol: 'SCTP', port: 891 },
      ],
    });
  });

  it('have the interface that Calico’s plugin makes for them', () => {
    expect(podInterfaceName('default', 'podA')).to.equal('cali7f94ce7c295');
  });

  it('take their addresses from the first place that has any', () => {
    const podIPs = [{ ip: '192.168.0.1' }, { ip: 'fd5f:8067::1' }];
    const notes = {
      'cni.projectcalico.org/podIP': '192.168.0.2/32',
      'cni.projectcalico.org/podIPs': '192.168.0.2/32,fd5f:8067::2/128',
    };
    const amazon = { 'vpc.amazonaws.com/pod-ips': '192.168.0.3' };
    expect(networks({ status: { podIPs, podIP: '192.168.0.1' }, annotations: notes })).to.deep.equal([
      '192.168.0.1/32',
      'fd5f:8067::1/128',
    ]);
    expect(networks({ annotations: { ...notes, ...amazon } })).to.deep.equal([
      '192.168.0.2/32',
      'fd5f:8067::2/128',
    ]);
    expect(networks({ annotations: { 'cni.projectcalico.org/podIP': '192.168.0.2' } })).to.deep.equal([
      '192.168.0.2/32',
    ]);
    expect(networks({ annotations: amazon })).to.deep.equal(['192.168.0.3/32']);
    expect(networks({})).to.equal(undefined);
  });

  it('have no endpoint on the host’s network, without a node, or at their end', () => {
    expect(hasEndpoint(pod({}))).to.equal(true);
    expect(hasEndpoint(pod({ deleted: true }))).to.equal(true);
    const without: readonly Parts[] = [
      { spec: { hostNetwork: true } },
      { spec: { nodeName: '' } },
      { status: { phase: 'Succeeded' } },
      { status: { phase: 'Failed' } },
      { deleted: true, annotations: { 'cni.projectcalico.org/podIP': '' } },
      { deleted: true, annotations: { 'vpc.amazonaws.com/pod-ips': '' } },
    ];
    for (const parts of without) expect(podEndpoint(pod(parts)).resource).to.equal(undefined);
  });

  it('give a long account no label', () => {
    const serviceAccountName = 'a'.repeat(63);
    const { metadata, spec } = endpoint({ spec: { serviceAccountName } });
    expect(metadata.labels).not.to.have.property('projectcalico.org/serviceaccount');
    expect(spec.profiles).to.deep.equal(['kns.default', `ksa.default.${serviceAccountName}`]);
  });

  it('have floating addresses where the pod has one of the family', () => {
    const annotations = { 'cni.projectcalico.org/floatingIPs': '["198.51.100.1", "2001:db8::1"]' };
    expect(endpoint({ annotations, status: { podIP: '192.168.0.1' } }).spec.ipNATs).to.deep.equal([
      { internalIP: '192.168.0.1', externalIP: '198.51.100.1' },
    ]);
  });

  it('may send from prefixes that they were allowed', () => {
    const annotations = { 'cni.projectcalico.org/allowedSourcePrefixes': '["192.0.2.9/24", "fd00::/64"]' };
    expect(endpoint({ annotations }).spec.allowSpoofedSourcePrefixes).to.deep.equal([
      '192.0.2.0/24',
      'fd00::/64',
    ]);
  });

  it('pass over annotations that say nothing sound, and tell of them', () => {
    const annotations = {
      'cni.projectcalico.org/floatingIPs': 'no JSON',
      'cni.projectcalico.org/allowedSourcePrefixes': '["192.0.2.1"]',
    };
    const { resource, problems } = podEndpoint(pod({ annotations, status: { podIP: '192.168.0.1' } }));
    expect(resource?.spec).not.to.have.any.keys('ipNATs', 'allowSpoofedSourcePrefixes');
    expect(problems.map(({ field }) => field)).to.deep.equal([
      'metadata.annotations["cni.projectcalico.org/floatingIPs"]',
      'metadata.annotations["cni.projectcalico.org/allowedSourcePrefixes"]',
    ]);
  });

  const limits: readonly (readonly [
    it: string,
    annotations: Record<string, string>,
    want: object | undefined,
  ])[] = [
    ['no limit is none', {}, undefined],
    [
      'bandwidth has a burst',
      { 'kubernetes.io/ingress-bandwidth': '10M' },
      { ingressBandwidth: 10_000_000, ingressBurst: 4_294_967_296 },
    ],
    [
      'Calico’s word counts more than Kubernetes’',
      { 'kubernetes.io/egress-bandwidth': '10M', 'qos.projectcalico.org/egressBandwidth': '1Gi' },
      { egressBandwidth: 1_073_741_824, egressBurst: 4_294_967_296 },
    ],
    ['a burst needs bandwidth', { 'qos.projectcalico.org/ingressBurst': '2M' }, undefined],
    [
      'a peak below the bandwidth is none, nor what goes with it',
      {
        'qos.projectcalico.org/ingressBandwidth': '2M',
        'qos.projectcalico.org/ingressPeakrate': '1M',
        'qos.projectcalico.org/ingressMinburst': '2k',
      },
      { ingressBandwidth: 2_000_000, ingressBurst: 4_294_967_296 },
    ],
    [
      'values out of bounds come to the bound',
      { 'qos.projectcalico.org/egressPacketRate': '1M', 'qos.projectcalico.org/ingressMaxConnections': '0' },
      { egressPacketRate: 10_000, egressPacketBurst: 5, ingressMaxConnections: 1 },
    ],
    ['unreadable ones are none', { 'qos.projectcalico.org/egressPacketRate': 'fast' }, undefined],
    ['DSCP by class', { 'qos.projectcalico.org/dscp': 'af41' }, { dscp: 'AF41' }],
    ['DSCP by number', { 'qos.projectcalico.org/dscp': '23' }, { dscp: 23 }],
  ];
  for (const [what, annotations, want] of limits) {
    it(`limits: ${what}`, () => expect(endpoint({ annotations }).spec.qosControls).to.deep.equal(want));
  }

  const quantities = [
    ['1', 1],
    ['1k', 1000],
    ['1.5G', 1_500_000_000],
    ['1Ki', 1024],
    ['100m', 1],
    ['2e3', 2000],
    ['1.01k', 1010],
    ['', undefined],
    ['1 k', undefined],
    ['1K', undefined],
  ] as const;
  for (const [text, value] of quantities)
    it(`the quantity "${text}" is ${value}`, () => expect(parseQuantity(text)).to.equal(value));
});
