/** Random policies of Kubernetes: of a namespace, and of the cluster. */
import fc from 'fast-check';

export const NAMESPACES = ['prod', 'test'] as const;

const labelSelector = fc.constantFrom<object>(
  {},
  { matchLabels: { role: 'web' } },
  { matchExpressions: [{ key: 'role', operator: 'In', values: ['web', 'db'] }] },
  { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] },
  { matchLabels: { zone: 'a' }, matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['db'] }] },
);
const labelledNamespaces = fc.constantFrom<object>({}, { matchLabels: { team: 'red' } });
const kubernetesPeer = fc.oneof(
  labelSelector.map((podSelector) => ({ podSelector })),
  labelledNamespaces.map((each) => ({ namespaceSelector: each })),
  fc.record({ podSelector: labelSelector, namespaceSelector: labelledNamespaces }),
  fc.constantFrom(
    { ipBlock: { cidr: '10.0.0.0/28', except: ['10.0.0.2/32'] } },
    { ipBlock: { cidr: 'fd00::/124' } },
    { ipBlock: { cidr: '0.0.0.0/0' } },
  ),
);
const kubernetesPort = fc.constantFrom<object>(
  { port: 80 },
  { protocol: 'UDP', port: 53 },
  { port: 8000, endPort: 8010 },
  { port: 'http' },
  { protocol: 'SCTP' },
);
export const kubernetesPolicy = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    podSelector: labelSelector,
    policyTypes: fc.constantFrom<string[]>(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    peers: fc.array(kubernetesPeer, { maxLength: 2 }),
    ports: fc.array(kubernetesPort, { maxLength: 2 }),
  })
  .map(({ namespace, podSelector, policyTypes, peers, ports }) => ({
    namespace,
    spec: {
      podSelector,
      policyTypes,
      ...(policyTypes.includes('Ingress') ? { ingress: [{ from: peers, ports }] } : {}),
      ...(policyTypes.includes('Egress') ? { egress: [{ to: peers, ports }] } : {}),
    },
  }));
export const clusterPolicy = fc
  .record({
    tier: fc.constantFrom('Admin', 'Baseline'),
    subject: fc.oneof(
      labelledNamespaces.map((namespaces) => ({ namespaces })),
      fc
        .record({ podSelector: labelSelector, namespaceSelector: labelledNamespaces })
        .map((pods) => ({ pods })),
    ),
    action: fc.constantFrom('Accept', 'Deny', 'Pass'),
    to: fc.constantFrom<object>(
      { networks: ['10.0.0.0/29'] },
      { namespaces: { matchLabels: { team: 'red' } } },
    ),
    ports: fc.constantFrom<object[]>(
      [],
      [{ tcp: { destinationPort: { number: 80 } } }],
      [{ destinationNamedPort: 'http' }],
    ),
  })
  .map(({ tier, subject, action, to, ports }) => ({
    tier,
    priority: 10,
    subject,
    egress: [{ action, to: [to], ...(ports.length === 0 ? {} : { protocols: ports }) }],
  }));
