/** For tests of felix-lite: random clusters and packets, small enough that everything meets everything. */
import fc from 'fast-check';
import { type Resource, validate } from '../../api/index.ts';
import { Address, type IpVersion } from '../../net/addr/index.ts';
import type { ResourceChange } from '../calc/calculator.ts';
import { DEFAULT_FAILSAFES } from '../rules/failsafe.ts';
import { type Chains, type Sets, travel } from './netfilter.ts';
import type { Packet } from './packet.ts';
import { type NodeView, type Way, judgeWay } from './way.ts';
import { World } from './world.ts';

/** The node whose endpoints are judged; workload 0 is always on it. */
export const NODE = 'a1';
/** What the node has beside its workloads. */
export const NODE_VIEW: NodeView = {
  name: NODE,
  interfacePrefix: 'cali',
  interfaces: new Map([
    ['eth0', ['10.9.0.1', 'fd09::1']],
    ['eth1', ['10.9.1.1']],
  ]),
  failsafes: DEFAULT_FAILSAFES,
  endpointToHost: 'Drop',
};

const NAMESPACES = ['prod', 'test'] as const;
const API_VERSION = 'projectcalico.org/v3';

const selector = fc.constantFrom(
  'all()',
  "role == 'web'",
  "role != 'web'",
  "role in {'web', 'db'}",
  "role not in {'db'}",
  'has(role)',
  '!has(role)',
  "role starts with 'w' || zone == 'a'",
  "role contains 'b' && zone != 'b'",
  "zone ends with 'a'",
  "!(role == 'db' && zone == 'a')",
);
const namespaceSelector = fc.constantFrom('all()', "team == 'red'", "team != 'red'", 'has(team)', 'global()');
const port = fc.constantFrom<number | string>(80, 443, '8000:8010', 'http', 'dns', 22, '1:79');
const nets4 = fc.constantFrom(
  '10.0.0.0/29',
  '10.0.0.2/32',
  '10.0.0.4/30',
  '0.0.0.0/0',
  '192.0.2.0/24',
  '10.0.0.0/28',
);
const nets6 = fc.constantFrom('fd00::/125', 'fd00::2/128', '::/0', '2001:db8::/32', 'fd00::4/126');

function optional<T>(name: string, value: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<object> {
  return fc.oneof(
    { weight, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: value.map((each) => ({ [name]: each })) },
  );
}

function merged(...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> {
  return fc.tuple(...parts).map((all) => Object.assign({}, ...all) as object);
}

function side(version: IpVersion, ports: boolean): fc.Arbitrary<object> {
  const net = version === 4 ? nets4 : nets6;
  const many = fc.array(port, { minLength: 1, maxLength: 4 });
  const lots = fc.constant(Array.from({ length: 20 }, (_, index) => 70 + index));
  return merged(
    optional('nets', fc.array(net, { minLength: 1, maxLength: 3 })),
    optional('notNets', fc.array(net, { minLength: 1, maxLength: 2 }), 5),
    optional('selector', selector),
    optional('notSelector', selector, 6),
    optional('namespaceSelector', namespaceSelector, 5),
    optional(
      'serviceAccounts',
      fc.constantFrom(
        { names: ['robot'] },
        { selector: "trusted == 'yes'" },
        { names: ['robot', 'x'], selector: 'all()' },
      ),
      8,
    ),
    ...(ports
      ? [optional('ports', fc.oneof(many, many, lots)), optional('notPorts', fc.oneof(many, lots), 5)]
      : []),
  );
}

const rule: fc.Arbitrary<object> = fc
  .record({
    version: fc.constantFrom<IpVersion>(4, 6),
    protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 89, undefined, undefined),
    action: fc.constantFrom('Allow', 'Allow', 'Deny', 'Pass', 'Log'),
    ofVersion: fc.boolean(),
  })
  .chain(({ version, protocol, action, ofVersion }) => {
    const family = protocol === 'ICMP' ? 4 : protocol === 'ICMPv6' ? 6 : version;
    const ports = ['TCP', 'UDP', 'SCTP'].includes(String(protocol));
    const icmp = family === 4 ? { type: 8, code: 0 } : { type: 128 };
    const isIcmp = String(protocol).startsWith('ICMP');
    return merged(
      fc.constant({ action }),
      fc.constant(protocol === undefined ? {} : { protocol }),
      fc.constant(ofVersion ? { ipVersion: family } : {}),
      optional('source', side(family, ports), 1),
      optional('destination', side(family, ports), 1),
      ...(isIcmp ? [optional('icmp', fc.constant(icmp), 1), optional('notICMP', fc.constant(icmp), 2)] : []),
      optional('notProtocol', fc.constantFrom('TCP', 'UDP', 17), 4),
    );
  });

const rules = fc.array(rule, { maxLength: 4 });
/** As broad as a rule can be, so that much depends on where it is asked. */
const hostRule = fc.oneof(
  fc.constantFrom('Allow', 'Deny', 'Pass').map((action) => ({ action })),
  fc
    .record({ action: fc.constantFrom('Allow', 'Deny', 'Pass'), protocol: fc.constantFrom('TCP', 'UDP') })
    .map((each) => each),
  rule,
);
/** A service stands on the other side only, alone, and brings its own ports. */
function rulesWithService(side: 'source' | 'destination'): fc.Arbitrary<object[]> {
  const service = fc
    .constantFrom(
      { action: 'Allow' },
      { action: 'Deny', protocol: 'TCP' },
      { action: 'Allow', protocol: 'UDP' },
    )
    .map((each) => ({ ...each, [side]: { services: { name: 'api', namespace: 'prod' } } }));
  return fc.array(fc.oneof({ weight: 6, arbitrary: rule }, { weight: 1, arbitrary: service }), {
    maxLength: 4,
  });
}

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
const kubernetesPolicy = fc
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
const clusterPolicy = fc
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

export const packet: fc.Arbitrary<Packet> = fc
  .record({
    version: fc.constantFrom<IpVersion>(4, 6),
    source: fc.constantFrom(0, 1, 2, 3, 9, 200),
    destination: fc.constantFrom(0, 1, 2, 3, 9, 200),
    protocol: fc.constantFrom('tcp', 'tcp', 'udp', 'sctp', 'icmp', 'other'),
    port: fc.constantFrom(22, 53, 80, 85, 443, 4789, 8000, 8005, 8010, 9999),
    sourcePort: fc.constantFrom(80, 53, 22, 40000),
    other: fc.constantFrom(4, 89, 1, 58),
    icmpType: fc.constantFrom(0, 8, 128, 129, 135),
  })
  .map(({ version, source, destination, protocol, port: destinationPort, sourcePort, other, icmpType }) => {
    const ends = { source: address(version, source), destination: address(version, destination) };
    const number = new Map([
      ['tcp', 6],
      ['udp', 17],
      ['sctp', 132],
    ]).get(protocol);
    if (number !== undefined) return { ...ends, protocol: number, sourcePort, destinationPort };
    if (protocol === 'icmp') return { ...ends, protocol: version === 4 ? 1 : 58, icmpType, icmpCode: 0 };
    return { ...ends, protocol: other };
  });

function address(version: IpVersion, index: number): Address {
  const inside = index < 100;
  const text =
    version === 4 ? (inside ? `10.0.0.${index}` : '192.0.2.7') : inside ? `fd00::${index}` : '2001:db8::7';
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

export function valid(value: object): Resource {
  const read = validate(value);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

export function change(each: Resource, gone = false): ResourceChange {
  const { kind, metadata } = each;
  return {
    key: { kind, scope: metadata.namespace ?? '', name: metadata.name },
    value: gone ? undefined : each,
  };
}

/** What turns one cluster into the other. */
export function changesBetween(
  before: readonly Resource[],
  after: readonly Resource[],
): readonly ResourceChange[] {
  const kept = new Set(after.map(identity));
  return [
    ...before.filter((each) => !kept.has(identity(each))).map((each) => change(each, true)),
    ...after.map((each) => change(each)),
  ];
}

function identity(each: Resource): string {
  return JSON.stringify(change(each).key);
}

/** How often packets were let through and stopped: a run that sees one of them only proves little. */
export interface Tally {
  allowed: number;
  denied: number;
}

/** What would stand in a kernel: chains by table, sets by name. */
export interface Held {
  readonly tables: ReadonlyMap<string, Chains>;
  readonly sets: Sets;
}

/** Every way over the node: between its workloads, its own interfaces and itself. */
export function waysOver(world: World): readonly Way[] {
  const locals = world.workloads
    .filter(({ spec }) => spec.node === NODE)
    .map(({ spec }) => spec.interfaceName ?? '');
  const all = ['eth0', 'eth1', ...locals];
  const [first = ''] = locals;
  return [
    ...all.flatMap((each): readonly Way[] => [
      { journey: 'toHost', from: each },
      { journey: 'fromHost', to: each },
    ]),
    ...locals.flatMap((each): readonly Way[] => [
      { journey: 'forwarded', from: 'eth0', to: each },
      { journey: 'forwarded', from: each, to: 'eth0' },
    ]),
    { journey: 'forwarded', from: 'eth1', to: first },
    { journey: 'forwarded', from: first, to: locals.at(-1) ?? '' },
    { journey: 'forwarded', from: 'eth0', to: 'eth1' },
    { journey: 'forwarded', from: 'eth1', to: 'eth0' },
  ];
}

/**
 * Sends every packet over every way.
 * @throws with all that is known about the first packet on which rules and evaluator differ
 */
export function expectAgreement(
  resources: readonly Resource[],
  packets: readonly Packet[],
  version: IpVersion,
  kernel: Held,
  tally: Tally,
): void {
  const world = new World(resources);
  for (const packet of packets.filter(({ source }) => source.version === version)) {
    for (const way of waysOver(world)) {
      // The one matters only for what the host sends itself; the others must not care.
      for (const destinationChanged of [false, true]) {
        const walked = travel(kernel.tables, kernel.sets, way.journey, {
          ...packet,
          state: 'NEW',
          destinationChanged,
          ...(way.from === undefined ? {} : { inInterface: way.from }),
          ...(way.to === undefined ? {} : { outInterface: way.to }),
        });
        const judged = judgeWay(world, NODE_VIEW, way, packet);
        tally[judged.allowed ? 'allowed' : 'denied']++;
        if ((walked.verdict === 'ACCEPT') === judged.allowed) continue;
        const all = { way, destinationChanged, packet, judged, walked };
        throw new Error(`rules and evaluator differ: ${JSON.stringify(all, undefined, 1)}`);
      }
    }
  }
}
