/** The file that calicoctl exchanges: as its sources write it, and back. */
import { expect } from 'chai';
import { unwrap } from '../../api/index.ts';
import { isCalicoFile, parseCalicoFile, toCalicoFile } from './calico-file.ts';
import type { Dumped } from './dump.ts';

/** Composed by hand after `migrate/export.go`, `migrateipam.go` and the YAML of sorted keys that calicoctl prints. */
const THEIRS = `apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata:
    creationTimestamp: null
    name: lab-v4
  spec:
    allowedUses:
    - Workload
    - Tunnel
    blockSize: 26
    cidr: 10.244.0.0/16
    ipipMode: Never
    natOutgoing: true
    nodeSelector: all()
    vxlanMode: Never
kind: IPPoolList
metadata:
  resourceVersion: "1042"
---
apiVersion: projectcalico.org/v3
items: []
kind: BGPPeerList
metadata:
  resourceVersion: "1042"
---
apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: NetworkPolicy
  metadata:
    creationTimestamp: null
    name: web
    namespace: prod
  spec:
    ingress:
    - action: Allow
      destination:
        ports:
        - 8080
        - 9000:9010
        - http
      protocol: TCP
      source: {}
    order: 50
    selector: role == 'web'
    tier: default
kind: NetworkPolicyList
metadata:
  resourceVersion: "1042"
---
===
{
  "kind": "ClusterInformation",
  "apiVersion": "projectcalico.org/v3",
  "metadata": {
    "name": "default",
    "uid": "0c5f3d0e-7b1a-4e0e-9b4b-0a2f6a9f1d11",
    "resourceVersion": "12",
    "creationTimestamp": "2026-08-01T10:00:00Z"
  },
  "spec": {
    "clusterGUID": "6f1d6a0f4a7b4f2e8ad1c5d0b7a2c3e4",
    "calicoVersion": "v3.32.1",
    "datastoreReady": false
  }
}
===
{
  "block_affinities": [
    {
      "Key": "/calico/ipam/v2/host/worker-1/ipv4/block/10.244.7.64-29",
      "Value": {
        "state": "confirmed",
        "deleted": false
      },
      "TTL": 0
    }
  ],
  "blocks": [
    {
      "Key": "/calico/ipam/v2/assignment/ipv4/block/10.244.7.64-29",
      "Value": {
        "cidr": "10.244.7.64/29",
        "affinity": "host:worker-1",
        "allocations": [0, null, null, null, null, null, null, null],
        "unallocated": [1, 2, 3, 4, 5, 6, 7],
        "attributes": [{"handle_id": "ipip-tunnel-addr-worker-1", "secondary": {"node": "worker-1"}}],
        "sequenceNumber": 1785578400000000004,
        "sequenceNumberForAllocation": {"0": 1785578400000000003},
        "deleted": false
      },
      "TTL": 0
    }
  ],
  "handles": [
    {
      "Key": "/calico/ipam/v2/handle/ipip-tunnel-addr-worker-1",
      "Value": {"block": {"10.244.7.64/29": 1}, "deleted": false},
      "TTL": 0
    }
  ],
  "config": {
    "Key": "/calico/ipam/v2/config",
    "Value": {"auto_allocate_blocks": true},
    "TTL": 0
  }
}
`;

function node(name: string, kubernetes: string | undefined): Dumped {
  const orchRefs = kubernetes === undefined ? [] : [{ nodeName: kubernetes, orchestrator: 'k8s' }];
  const value = {
    kind: 'Node',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name, uid: 'u' },
    spec: { orchRefs },
  };
  return { key: { kind: 'Node', scope: '', name }, value };
}

function policy(name: string): Dumped {
  const value = {
    kind: 'NetworkPolicy',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name, namespace: 'prod' },
  };
  return { key: { kind: 'NetworkPolicy', scope: 'prod', name }, value };
}

describe("calicoctl's migration file", () => {
  it('is read', () => {
    expect(isCalicoFile(THEIRS)).to.equal(true);
    const objects = unwrap(parseCalicoFile(THEIRS, 'theirs'));
    expect(objects.map(({ key }) => `${key.kind}/${key.scope}/${key.name}`)).to.deep.equal([
      'IPPool//lab-v4',
      'NetworkPolicy/prod/web',
      'ClusterInformation//default',
      'BlockAffinity/host:worker-1/10.244.7.64/29',
      'IPAMBlock//10.244.7.64/29',
      'IPAMHandle//ipip-tunnel-addr-worker-1',
      'IPAMConfig//default',
    ]);
    expect(objects[0]?.value).to.deep.include({ metadata: { name: 'lab-v4' } });
    expect(objects[1]?.value).to.have.deep.nested.property('spec.ingress[0].destination.ports', [
      8080,
      '9000:9010',
      'http',
    ]);
    expect(objects[4]?.value).to.have.property('sequenceNumber', 1785578400000000004n);
  });

  it('is written in the same form', () => {
    const objects = unwrap(parseCalicoFile(THEIRS, 'theirs'));
    const { text, exported } = unwrap(toCalicoFile(objects));
    expect(exported).to.equal(objects.length);
    const [theirs, ours] = [THEIRS, text].map((one) => one.replaceAll('  resourceVersion: "1042"\n', ''));
    const [resources = '', information, ipam = ''] = ours!.split('===\n');
    // Each list that has something, octet for octet but for the revision of the list, which nobody reads.
    for (const list of theirs!.split('===\n')[0]!.replaceAll('metadata:\nkind', 'kind').split('---\n'))
      expect(resources.replaceAll('metadata: {}\n', 'metadata:\n')).to.contain(list);
    expect(resources.match(/^---$/gm)).to.have.length(17);
    expect(resources).to.contain('items: []\nkind: StagedNetworkPolicyList\n');
    expect(JSON.parse(information!)).to.have.nested.property('spec.calicoVersion', 'v3.32.1');
    expect(ipam)
      .to.contain('"sequenceNumber": 1785578400000000004,')
      .and.match(/\n\}\n$/);
    expect(unwrap(parseCalicoFile(text, 'ours'))).to.deep.equal(objects);
  });

  it('leaves behind what Kubernetes has itself, and counts it', () => {
    const endpoint = { key: { kind: 'WorkloadEndpoint', scope: 'prod', name: 'w' }, value: {} };
    const { text, left, exported } = unwrap(
      toCalicoFile([policy('web'), policy('knp.default.web'), endpoint]),
    );
    expect(exported).to.equal(1);
    expect([...left]).to.deep.equal([
      ['NetworkPolicy', 1],
      ['WorkloadEndpoint', 1],
    ]);
    expect(text).to.not.contain('knp.');
  });

  it('names nodes as Kubernetes does, and whatever names them', () => {
    const objects: Dumped[] = [
      node('a.example', 'a'),
      ...unwrap(parseCalicoFile(THEIRS.replaceAll('worker-1', 'a.example'), 'theirs')),
      {
        key: { kind: 'FelixConfiguration', scope: '', name: 'node.a.example' },
        value: { kind: 'FelixConfiguration', metadata: { name: 'node.a.example' }, spec: {} },
      },
    ];
    const { text } = unwrap(toCalicoFile(objects));
    expect(text).to.not.contain('a.example');
    expect(text)
      .to.contain('name: node.a\n')
      .and.contain('/calico/ipam/v2/handle/ipip-tunnel-addr-a"')
      .and.contain('/calico/ipam/v2/host/a/ipv4')
      .and.contain('"affinity": "host:a"')
      .and.contain('"handle_id": "ipip-tunnel-addr-a"');
    expect(text).to.not.contain('uid: u');
  });

  it('is refused where a node is none of Kubernetes, as calicoctl does', () => {
    expect(toCalicoFile([node('a', undefined)])).to.have.nested.property(
      'problems[0].code',
      'NODE_NOT_KUBERNETES',
    );
  });

  it('with something broken in it is not read at all', () => {
    for (const [from, to] of [
      ['kind: IPPool\n', 'kind: IPPond\n'],
      ['    name: lab-v4\n', ''],
      ['"clusterGUID"', 'clusterGUID'],
      ['/calico/ipam/v2/handle/', '/calico/ipam/v9/handle/'],
      ['"cidr": "10.244.7.64/29"', '"cidr": "10.0.0.0/29"'],
      ['  kind: IPPool', '  kind: : IPPool'],
    ] as const) {
      const result = parseCalicoFile(THEIRS.replace(from, to), 'theirs');
      expect(result, to).to.have.nested.property('problems[0].code', 'DUMP_OBJECT');
    }
  });
});
