/** Random clusters, small enough that everything meets everything. */
import fc from 'fast-check';
import { NODE } from './agreement.ts';
import { clusterPolicy, kubernetesPolicy, NAMESPACES } from './kubernetes.ts';
import { hostRule, merged, optional, rules, rulesWithService, selector } from './rules.ts';

const API_VERSION = 'projectcalico.org/v3';

const policySpec = merged(
  fc.record({ tier: fc.constantFrom('default', 'default', 'platform', 'late', 'kube-baseline') }),
  optional('order', fc.constantFrom(1, 10, 10, 1000), 1),
  optional('selector', selector, 1),
  optional('serviceAccountSelector', fc.constantFrom('all()', "trusted == 'yes'"), 6),
  optional('types', fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress'])),
  optional('ingress', rulesWithService('source'), 1),
  optional('egress', rulesWithService('destination'), 1),
);

function isPolicyOrHost(each: object): boolean {
  const { kind } = each as { kind: string };
  return kind === 'HostEndpoint' || kind.endsWith('NetworkPolicy');
}

function resource(kind: string, metadata: object, spec: object): object {
  return { apiVersion: API_VERSION, kind, metadata, spec };
}

const workload = (index: number): fc.Arbitrary<object> =>
  fc
    .record({
      namespace: fc.constantFrom(...NAMESPACES),
      labels: merged(
        optional('role', fc.constantFrom('web', 'db'), 1),
        optional('zone', fc.constantFrom('a', 'b'), 1),
      ),
      local: fc.boolean(),
      account: fc.constantFrom(undefined, 'robot'),
      port: fc.constantFrom(80, 8005),
      extra: fc.constantFrom<readonly string[]>([], ['missing'], ['vm-open'], ['vm-open', 'missing']),
    })
    .map(({ namespace, labels, local, account, port: httpPort, extra }) =>
      resource(
        'WorkloadEndpoint',
        { name: `${local || index === 0 ? NODE : 'b1'}-k8s-pod${index}-eth0`, namespace, labels },
        {
          orchestrator: 'k8s',
          node: local || index === 0 ? NODE : 'b1',
          pod: `pod${index}`,
          endpoint: 'eth0',
          interfaceName: `cali${index}0abc`,
          ipNetworks: [`10.0.0.${index}/32`, `fd00::${index}/128`],
          profiles: [
            `kns.${namespace}`,
            ...(account === undefined ? [] : [`ksa.${namespace}.${account}`]),
            ...extra,
          ],
          ...(account === undefined ? {} : { serviceAccountName: account }),
          ports: [
            { name: 'http', protocol: 'TCP', port: httpPort },
            { name: 'dns', protocol: 'UDP', port: 53 },
          ],
        },
      ),
    );

const host = fc.record({
  metadata: fc.record({
    labels: merged(
      optional('role', fc.constantFrom('web', 'db'), 1),
      optional('zone', fc.constantFrom('a', 'b'), 1),
    ),
  }),
  spec: fc
    .tuple(
      fc.constantFrom(
        { interfaceName: 'eth0' },
        { interfaceName: 'eth0', expectedIPs: ['10.9.0.1', '10.0.0.9'] },
        { expectedIPs: ['10.9.1.1'] },
        { expectedIPs: ['fd09::1', 'fd00::9'] },
        { interfaceName: '*' },
      ),
      fc.constantFrom(
        [],
        [],
        ['vm-open'],
        ['kns.test', 'vm-open'],
        ['missing'],
        ['projectcalico-default-allow'],
      ),
      fc.constantFrom([], [{ name: 'http', protocol: 'TCP', port: 80 }]),
    )
    .map(([where, profiles, ports]) => ({ node: NODE, ...where, profiles, ports })),
});

export const cluster: fc.Arbitrary<readonly object[]> = fc
  .record({
    workloads: fc.tuple(...[0, 1, 2, 3].map(workload)),
    policies: fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('GlobalNetworkPolicy'),
          spec: merged(
            policySpec,
            optional('namespaceSelector', fc.constantFrom('all()', "team == 'red'"), 4),
            fc.constantFrom(
              {},
              {},
              {},
              { applyOnForward: true },
              { applyOnForward: true, doNotTrack: true },
              { applyOnForward: true, preDNAT: true, types: ['Ingress'], egress: [] },
            ),
          ),
          namespace: fc.constant(undefined),
        }),
        fc.record({
          kind: fc.constant('NetworkPolicy'),
          spec: policySpec,
          namespace: fc.constantFrom(...NAMESPACES),
        }),
      ),
      { maxLength: 5 },
    ),
    hosts: fc.array(host, { maxLength: 2 }),
    kubernetes: fc.array(kubernetesPolicy, { maxLength: 1 }),
    clusterPolicies: fc.array(clusterPolicy, { maxLength: 1 }),
    asNamespace: fc.boolean(),
    tier: optional('defaultAction', fc.constantFrom('Deny', 'Pass'), 1),
    open: fc.boolean(),
    set: selector.map(() => ['10.0.0.0/30', '192.0.2.0/24', 'fd00::/126']),
    profileRules: rules,
  })
  .map(
    ({
      workloads,
      policies,
      hosts,
      kubernetes,
      clusterPolicies,
      asNamespace,
      tier,
      open,
      set,
      profileRules,
    }) => [
      ...workloads,
      ...hosts.map((spec, index) =>
        resource('HostEndpoint', { name: `h${index}`, ...spec.metadata }, spec.spec),
      ),
      ...policies.map(({ kind, spec, namespace }, index) =>
        resource(kind, { name: `p${index}`, ...(namespace === undefined ? {} : { namespace }) }, spec),
      ),
      resource('Tier', { name: 'platform' }, { order: 100, ...tier }),
      ...kubernetes.map(({ namespace, spec }, index) => ({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: `k${index}`, namespace },
        spec,
      })),
      ...clusterPolicies.map((spec, index) => ({
        apiVersion: 'policy.networking.k8s.io/v1alpha2',
        kind: 'ClusterNetworkPolicy',
        metadata: { name: `c${index}` },
        spec,
      })),
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'api-1', namespace: 'prod', labels: { 'kubernetes.io/service-name': 'api' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.0.0.2'] }, { addresses: ['192.0.2.7'] }],
        ports: [{ port: 80 }, { name: 'dns', protocol: 'UDP', port: 53 }],
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'api-2', namespace: 'prod', labels: { 'kubernetes.io/service-name': 'api' } },
        addressType: 'IPv6',
        endpoints: [{ addresses: ['fd00::2'] }],
        ports: [{ port: 80 }],
      },
      // A namespace says the same as a profile that is open and lends its labels.
      ...(asNamespace
        ? [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod', labels: { team: 'red' } } }]
        : [
            resource(
              'Profile',
              { name: 'kns.prod' },
              {
                labelsToApply: { 'pcns.team': 'red' },
                ...(open ? { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] } : {}),
              },
            ),
          ]),
      resource(
        'Profile',
        { name: 'kns.test' },
        { labelsToApply: { 'pcns.team': 'blue', zone: 'a' }, ingress: profileRules, egress: profileRules },
      ),
      resource('Profile', { name: 'ksa.prod.robot' }, { labelsToApply: { 'pcsa.trusted': 'yes' } }),
      resource(
        'Profile',
        { name: 'vm-open' },
        { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
      ),
      resource('GlobalNetworkSet', { name: 'outside', labels: { role: 'web' } }, { nets: set }),
      resource(
        'NetworkSet',
        { name: 'inside', namespace: 'prod', labels: { role: 'db', zone: 'b' } },
        { nets: ['10.0.0.8/29', '0.0.0.0/0'] },
      ),
    ],
  );

/** Policy of hosts alone, in all the places where it is asked: seldom met among everything else. */
export const hostCluster: fc.Arbitrary<readonly object[]> = fc
  .record({
    objects: cluster,
    hosts: fc.array(host, { minLength: 1, maxLength: 3 }),
    policies: fc.array(
      fc.record({
        tier: fc.constantFrom('default', 'platform'),
        order: fc.constantFrom(1, 10),
        selector: fc.constantFrom('all()', '!has(projectcalico.org/orchestrator)', "role != 'web'"),
        ingress: fc.array(hostRule, { minLength: 1, maxLength: 2 }),
        egress: fc.array(hostRule, { minLength: 1, maxLength: 2 }),
        stage: fc.constantFrom(
          {},
          { applyOnForward: true },
          { applyOnForward: true, doNotTrack: true },
          { applyOnForward: true, preDNAT: true, types: ['Ingress'], egress: [] },
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ objects, hosts, policies }) => [
    ...objects.filter((each) => !isPolicyOrHost(each)),
    ...hosts.map(({ metadata, spec }, index) =>
      resource('HostEndpoint', { name: `h${index}`, ...metadata }, spec),
    ),
    ...policies.map(({ stage, ...spec }, index) =>
      resource('GlobalNetworkPolicy', { name: `p${index}` }, { ...spec, ...stage }),
    ),
  ]);
