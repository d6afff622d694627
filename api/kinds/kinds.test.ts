import { expect } from 'chai';
import { parse } from 'yaml';
import { formatProblem, type Problem } from '../problem.ts';
import { validate } from '../validate.ts';
import { type Kind, KINDS, kindInfo } from './index.ts';

interface Case {
  readonly it: string;
  readonly kind: Kind;
  /** Default `x`; a namespace goes before a slash. */
  readonly name?: string;
  readonly spec: string;
  /** `field: what; remedy` of each problem, without the resource. Absent: the spec is sound. */
  readonly want?: readonly string[];
  /** Parts of the spec as it comes out. */
  readonly gives?: Readonly<Record<string, unknown>>;
}

const pools: readonly Case[] = [
  {
    it: 'fills in what Calico fills in',
    kind: 'IPPool',
    spec: 'cidr: 10.244.0.0/16',
    gives: {
      cidr: '10.244.0.0/16',
      blockSize: 26,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
      assignmentMode: 'Automatic',
    },
  },
  {
    it: 'cuts IPv6 into /122',
    kind: 'IPPool',
    spec: 'cidr: FD00:10:244:0::/48',
    gives: { cidr: 'fd00:10:244::/48', blockSize: 122 },
  },
  {
    it: 'takes null for unset',
    kind: 'IPPool',
    spec: '{cidr: 10.0.0.0/16, blockSize: null, natOutgoing: null}',
    gives: { blockSize: 26 },
  },
  {
    it: 'wants a prefix',
    kind: 'IPPool',
    spec: '{}',
    want: ['spec.cidr: is missing; add it: a prefix such as 10.244.0.0/16'],
  },
  {
    it: 'refuses a length that there is not',
    kind: 'IPPool',
    spec: 'cidr: 10.244.0.0/33',
    want: [
      'spec.cidr: "10.244.0.0/33" has a prefix length that IPv4 does not have; use a length from 0 to 32, as in 10.244.0.0/32',
    ],
  },
  {
    it: 'refuses host bits, and says which prefix is meant',
    kind: 'IPPool',
    spec: 'cidr: 10.244.1.0/16',
    want: ['spec.cidr: "10.244.1.0/16" has bits set beyond its prefix length; write 10.244.0.0/16'],
  },
  {
    it: 'refuses what is no address',
    kind: 'IPPool',
    spec: 'cidr: 10.244.0/16',
    want: [
      'spec.cidr: "10.244.0/16" does not hold an IP address; write IPv4 as four numbers from 0 to 255 without leading zeros, as in 192.0.2.1',
    ],
  },
  {
    it: 'refuses an address without a length',
    kind: 'IPPool',
    spec: 'cidr: 10.244.0.1',
    want: ['spec.cidr: "10.244.0.1" has no prefix length; write 10.244.0.1/32 for one address'],
  },
  {
    it: 'refuses a pool smaller than a block',
    kind: 'IPPool',
    spec: 'cidr: 10.0.0.0/28',
    want: [
      'spec.cidr: "10.0.0.0/28" is smaller than one block of /26; use a prefix of length 26 or less, or set a longer blockSize (at most 32)',
    ],
  },
  { it: 'lets a disabled pool be small', kind: 'IPPool', spec: '{cidr: 10.0.0.0/28, disabled: true}' },
  {
    it: 'knows the block lengths of each version',
    kind: 'IPPool',
    spec: '{cidr: "fd00::/64", blockSize: 64}',
    want: [
      'spec.blockSize: 64 is no length for a block of IPv6; use a length from 116 to 128, or leave it out for 122',
    ],
  },
  {
    it: 'keeps off link-local addresses',
    kind: 'IPPool',
    spec: 'cidr: 169.254.0.0/20',
    want: [
      'spec.cidr: "169.254.0.0/20" overlaps the link-local range 169.254.0.0/16; choose a prefix outside it, such as one from 10.0.0.0/8 or fd00::/8',
    ],
  },
  {
    it: 'has no IPIP for IPv6',
    kind: 'IPPool',
    spec: '{cidr: "fd00::/64", ipipMode: Always}',
    want: ['spec.ipipMode: IPIP carries no IPv6; use Never, and vxlanMode if the pool needs a tunnel'],
  },
  {
    it: 'has one tunnel at a time',
    kind: 'IPPool',
    spec: '{cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: CrossSubnet}',
    want: ['spec.ipipMode: ipipMode and vxlanMode are both on; set one of them to Never'],
  },
  {
    it: 'tells a boolean in the wrong dress',
    kind: 'IPPool',
    spec: '{cidr: 10.0.0.0/16, natOutgoing: yes}',
    want: ['spec.natOutgoing: "yes" is not true or false; write true or false'],
  },
  {
    it: 'suggests the field that is meant',
    kind: 'IPPool',
    spec: '{cidr: 10.0.0.0/16, natoutgoing: true, blocksize: 26, colour: red}',
    want: [
      'spec.natoutgoing: there is no field "natoutgoing"; write "natOutgoing" if that is what you mean',
      'spec.blocksize: there is no field "blocksize"; write "blockSize" if that is what you mean',
      'spec.colour: there is no field "colour"; remove it; the fields here are cidr, vxlanMode, ipipMode, natOutgoing, disabled, disableBGPExport, blockSize, nodeSelector, namespaceSelector, allowedUses, assignmentMode',
    ],
  },
  {
    it: 'does not excuse an unknown field for being null',
    kind: 'IPPool',
    spec: '{cidr: 10.0.0.0/16, colour: null}',
    want: ['spec.colour: there is no field "colour"; remove it; *'],
  },
  {
    it: 'tells where a selector breaks off',
    kind: 'IPPool',
    spec: `{cidr: 10.0.0.0/16, nodeSelector: "rack = 'a'"}`,
    want: [
      `spec.nodeSelector: the selector "rack = 'a'" does not parse at character 6: a single "=" means nothing; write ==`,
    ],
  },
];

const policies: readonly Case[] = [
  {
    it: 'is ingress unless it says otherwise',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: '{}',
    gives: { tier: 'default', types: ['Ingress'] },
  },
  {
    it: 'is egress with only egress rules',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'egress: [{action: Allow}]',
    gives: { types: ['Egress'] },
  },
  {
    it: 'is both with both',
    kind: 'GlobalNetworkPolicy',
    spec: '{ingress: [{action: Deny}], egress: [{action: Allow}]}',
    gives: { types: ['Ingress', 'Egress'] },
  },
  {
    it: 'believes what it is told',
    kind: 'GlobalNetworkPolicy',
    spec: '{types: [Egress], ingress: [{action: Deny}]}',
    gives: { types: ['Egress'] },
  },
  {
    it: 'spells protocols and ports one way',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: `ingress: [{action: Allow, protocol: tcp, destination: {ports: [80, "443", "8000:8010", "9:9", http]}}, {action: Pass, protocol: "17"}, {action: Log, protocol: 47}]`,
    gives: {
      ingress: [
        { action: 'Allow', protocol: 'TCP', destination: { ports: [80, 443, '8000:8010', 9, 'http'] } },
        { action: 'Pass', protocol: 17 },
        { action: 'Log', protocol: 47 },
      ],
    },
  },
  {
    it: 'knows its actions',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'ingress: [{action: allow}, {action: Drop}, {}]',
    want: [
      'spec.ingress[0].action: "allow" is not one of Allow, Deny, Log, Pass; write Allow',
      'spec.ingress[1].action: "Drop" is not one of Allow, Deny, Log, Pass; use one of Allow, Deny, Log, Pass',
      'spec.ingress[2].action: is missing; add it: one of Allow, Deny, Log, Pass',
    ],
  },
  {
    it: 'wants ports in range and in order',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'ingress: [{action: Allow, protocol: TCP, source: {ports: [0, 65536, "90:80", 1.5, "1-5", {}]}}]',
    want: [0, 1, 2, 3, 4, 5].map((index) => `spec.ingress[0].source.ports[${index}]: *`),
  },
  {
    it: 'has no ports without a protocol that has them',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'ingress: [{action: Allow, protocol: ICMP, destination: {notPorts: [1]}}]',
    want: [
      'spec.ingress[0].destination.notPorts: ports need a protocol that has them, and protocol is ICMP; set protocol to TCP, UDP or SCTP in this rule',
    ],
  },
  {
    it: 'speaks of one IP version in a rule',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'egress: [{action: Allow, source: {nets: [10.0.0.0/8]}, destination: {nets: ["fd00::/8"]}}, {action: Allow, ipVersion: 4, protocol: ICMPv6}]',
    want: [
      'spec.egress[0].destination.nets[0]: "fd00::/8" is IPv6, but "10.0.0.0/8" is IPv4; write one rule for each IP version',
      'spec.egress[1].protocol: protocol ICMPv6 is IPv6, but ipVersion is IPv4; write one rule for each IP version',
    ],
  },
  {
    it: 'has ICMP fields only under ICMP, codes only under types',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'ingress: [{action: Allow, icmp: {type: 8}}, {action: Allow, protocol: ICMP, icmp: {code: 1}}, {action: Allow, protocol: 58, icmp: {type: 128, code: 0}}]',
    want: [
      'spec.ingress[0].icmp: ICMP fields need protocol ICMP or ICMPv6; set protocol to ICMP or ICMPv6 in this rule',
      'spec.ingress[1].icmp.code: an ICMP code without a type; add type: the kernel matches codes only within one',
    ],
  },
  {
    it: 'has services alone, on the far side',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'ingress: [{action: Allow, destination: {services: {name: db}}}, {action: Allow, source: {services: {name: db}, nets: [10.0.0.0/8]}}]',
    want: [
      'spec.ingress[0].destination.services: an ingress rule cannot match services as destination; match them as source, or use an egress rule',
      'spec.ingress[1].source.nets: cannot stand beside services, which names its own endpoints; remove nets or services, or use two rules',
    ],
  },
  {
    it: 'has global() only as a whole namespaceSelector',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: '{selector: global(), ingress: [{action: Allow, source: {namespaceSelector: global()}}, {action: Allow, source: {namespaceSelector: global() || all()}}]}',
    want: [
      'spec.selector: "global()" uses global(); use global() only as the whole namespaceSelector of a rule\'s source or destination',
      'spec.ingress[1].source.namespaceSelector: "global() || all()" uses global(); *',
    ],
  },
  {
    it: 'judges forwarded traffic when it judges early',
    kind: 'GlobalNetworkPolicy',
    spec: '{doNotTrack: true}',
    want: [
      'spec.applyOnForward: doNotTrack is true, so the policy also sees forwarded traffic; set applyOnForward to true',
    ],
  },
  {
    it: 'has no egress before DNAT',
    kind: 'GlobalNetworkPolicy',
    spec: '{preDNAT: true, applyOnForward: true, egress: [{action: Allow}]}',
    want: [
      'spec.preDNAT: a preDNAT policy cannot act on egress; remove its egress rules and the type Egress',
    ],
  },
  {
    it: 'names no type twice',
    kind: 'NetworkPolicy',
    name: 'prod/x',
    spec: 'types: [Ingress, Ingress]',
    want: ['spec.types: *'],
  },
  {
    it: 'keeps the order of the default tier',
    kind: 'Tier',
    name: 'default',
    spec: 'order: 5',
    want: ['spec.order: the order of the tier default is 5; write 1000000'],
  },
  { it: 'gives tiers an action', kind: 'Tier', spec: 'order: 5', gives: { order: 5, defaultAction: 'Deny' } },
  {
    it: 'has no dots in names of tiers',
    kind: 'Tier',
    name: 'a.b',
    spec: '{}',
    want: ['metadata.name: "a.b" is not a name for a tier; *'],
  },
];

const bgp: readonly Case[] = [
  {
    it: 'reads AS numbers in both notations, and addresses canonically',
    kind: 'BGPPeer',
    spec: '{peerIP: "[2001:DB8:0::1]:1179", asNumber: "65000.1", maxRestartTime: 2m0s, numAllowedLocalASNumbers: 1}',
    gives: { peerIP: '[2001:db8::1]:1179', asNumber: 4_259_840_001 },
  },
  ...['0', '4294967296', '1.5', '-1', '"65536.1"', '"x"', '[]'].map(
    (asn): Case => ({
      it: `refuses the AS number ${asn}`,
      kind: 'BGPPeer',
      spec: `{peerIP: 192.0.2.1, asNumber: ${asn}}`,
      want: ['spec.asNumber: *'],
    }),
  ),
  ...[
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '"2001:db8::1:179:"',
    '"[192.0.2.1]:179"',
    'tor-a',
    '192.0.2.0/24',
    '"fe80::1%eth0"',
  ].map(
    (ip): Case => ({
      it: `refuses the peer ${ip}`,
      kind: 'BGPPeer',
      spec: `{peerIP: ${ip}, asNumber: 1}`,
      want: ['spec.peerIP: *'],
    }),
  ),
  {
    it: 'says one thing about nodes and one about peers',
    kind: 'BGPPeer',
    spec: '{node: a1, nodeSelector: all(), peerIP: 192.0.2.1, peerSelector: all(), asNumber: 1}',
    want: [
      'spec.node: nodeSelector is set too, and the two exclude each other; remove node or nodeSelector',
      'spec.peerIP: peerSelector is set too, and the two exclude each other; remove peerIP or peerSelector',
      'spec.asNumber: peerSelector is set too, and the two exclude each other; remove asNumber or peerSelector',
    ],
  },
  {
    it: 'wants a peer',
    kind: 'BGPPeer',
    spec: '{}',
    want: ['spec.peerIP: nothing says whom to peer with; set peerIP and asNumber, or peerSelector'],
  },
  {
    it: 'wants the AS of a peer',
    kind: 'BGPPeer',
    spec: 'peerIP: 192.0.2.1',
    want: ["spec.asNumber: peerIP is set, but not the peer's AS number; add asNumber"],
  },
  {
    it: 'reads durations as Go writes them',
    kind: 'BGPPeer',
    spec: '{peerIP: 192.0.2.1, asNumber: 1, maxRestartTime: 120}',
    want: ['spec.maxRestartTime: 120 is not a duration such as 2m0s; put it in quotes: "120"'],
  },
  {
    it: 'knows the communities it uses',
    kind: 'BGPConfiguration',
    name: 'default',
    spec: '{communities: [{name: edge, value: "64512:100"}], prefixAdvertisements: [{cidr: 10.0.0.0/16, communities: [edge, edg, "1:2:3", "70000:1"]}]}',
    want: [
      'spec.prefixAdvertisements[0].communities[1]: "edg" is neither *',
      'spec.prefixAdvertisements[0].communities[3]: "70000:1" is neither *',
    ],
  },
  {
    it: 'would not be read under another name',
    kind: 'BGPConfiguration',
    name: 'defualt',
    spec: '{}',
    want: [
      'metadata.name: "defualt" would never be read; name it default for the whole cluster, or node.<name of the node>',
    ],
  },
  {
    it: 'leaves the mesh to the cluster',
    kind: 'BGPConfiguration',
    name: 'node.a1',
    spec: 'nodeToNodeMeshEnabled: false',
    want: ['spec.nodeToNodeMeshEnabled: the mesh belongs to all nodes; *'],
  },
  {
    it: 'compares with a prefix or does not',
    kind: 'BGPFilter',
    spec: '{exportV4: [{action: Accept, cidr: 10.0.0.0/8}, {action: Reject, matchOperator: In}, {action: Accept, cidr: 10.0.0.0/8, matchOperator: In, prefixLength: {min: 24, max: 16}}], importV6: [{action: Accept, cidr: 10.0.0.0/8, matchOperator: In}]}',
    want: [
      'spec.exportV4[0].matchOperator: *',
      'spec.exportV4[1].matchOperator: *',
      'spec.exportV4[2].prefixLength: min 24 is above max 16; swap them',
      'spec.importV6[0].cidr: "10.0.0.0/8" is IPv4; use an IPv6 address here',
    ],
  },
];

const endpoints: readonly Case[] = [
  {
    it: 'keeps the subnet of an address',
    kind: 'Node',
    spec: 'bgp: {ipv4Address: 192.0.2.11/24, ipv6Address: "2001:DB8::B"}',
    gives: { bgp: { ipv4Address: '192.0.2.11/24', ipv6Address: '2001:db8::b' } },
  },
  {
    it: 'knows the version of each address',
    kind: 'Node',
    spec: 'bgp: {ipv4Address: "2001:db8::1/64"}',
    want: ['spec.bgp.ipv4Address: "2001:db8::1/64" is IPv6; use an IPv4 address here'],
  },
  {
    it: 'has something to say about BGP or does not mention it',
    kind: 'Node',
    spec: 'bgp: {}',
    want: ['spec.bgp: bgp is empty; *'],
  },
  {
    it: 'gives endpoints single addresses',
    kind: 'WorkloadEndpoint',
    name: 'prod/n1-cni-4f1c-eth0',
    spec: '{orchestrator: cni, node: n1, containerID: 4f1c, endpoint: eth0, ipNetworks: [10.0.0.1, 10.0.0.0/24, "fd00::1/128"]}',
    want: ['spec.ipNetworks[1]: "10.0.0.0/24" holds more than one address; use /32 (IPv4) or /128 (IPv6)'],
  },
  {
    it: 'calls endpoints by what they are',
    kind: 'WorkloadEndpoint',
    name: 'prod/web',
    spec: '{orchestrator: k8s, node: worker-1, pod: web-0, endpoint: eth0}',
    want: [
      'metadata.name: "web" is not the name that node, orchestrator and workload give; name it worker--1-k8s-web--0-eth0',
    ],
  },
  {
    it: 'masks the prefixes of sets',
    kind: 'GlobalNetworkSet',
    spec: 'nets: [203.0.113.7/24, 192.0.2.1, "2001:DB8::1"]',
    gives: { nets: ['203.0.113.0/24', '192.0.2.1/32', '2001:db8::1/128'] },
  },
  {
    it: 'wants to know which interface',
    kind: 'HostEndpoint',
    spec: 'node: a1',
    want: ['spec.interfaceName: nothing says which interface is meant; set interfaceName or expectedIPs'],
  },
  {
    it: 'needs strict affinity for a limit',
    kind: 'IPAMConfiguration',
    name: 'default',
    spec: 'maxBlocksPerHost: 4',
    want: ['spec.maxBlocksPerHost: *'],
  },
  {
    it: 'is there once',
    kind: 'IPAMConfiguration',
    spec: '{}',
    want: ['metadata.name: "x" would never be read; name it default'],
  },
];

const groups = {
  IPPool: pools,
  'policies and tiers': policies,
  'BGP kinds': bgp,
  'nodes, endpoints, sets': endpoints,
};

for (const [group, cases] of Object.entries(groups)) {
  describe(`api/kinds: ${group}`, () => {
    for (const row of cases) {
      it(row.it, () => {
        const result = validate(resourceOf(row));
        const told = result.ok ? [] : result.problems.map(withoutResource);
        const want = row.want ?? [];
        expect(told.map((line, index) => shortened(line, want[index]))).to.have.members(want);
        if (row.gives !== undefined && result.ok) expect(result.value.spec).to.deep.include(row.gives);
        if (result.ok) expect(validate(result.value), 'a second time').to.deep.equal(result);
      });
    }
  });
}

describe('api/kinds: names', () => {
  const cases: readonly (readonly [string, Kind | undefined])[] = [
    ['IPPool', 'IPPool'],
    ['pools', 'IPPool'],
    ['networkpolicies', 'NetworkPolicy'],
    ['np', 'NetworkPolicy'],
    ['GNP', 'GlobalNetworkPolicy'],
    ['wep', 'WorkloadEndpoint'],
    ['hep', 'HostEndpoint'],
    ['nodes', 'Node'],
    ['bgpconfig', 'BGPConfiguration'],
    ['snp', 'StagedNetworkPolicy'],
    ['knp', 'KubernetesNetworkPolicy'],
    ['anp', 'AdminNetworkPolicy'],
    ['ipamconfig', 'IPAMConfiguration'],
    ['container', undefined],
  ];
  for (const [name, kind] of cases)
    it(`${name} is ${kind}`, () => expect(kindInfo(name)?.kind).to.equal(kind));

  it('never mean two kinds', () => {
    const names = KINDS.flatMap((info) => [info.singular, info.plural, ...info.shortNames]);
    expect(new Set(names).size).to.equal(names.length);
  });
});

/** The problem on one line, without the resource: every row has the same. */
function withoutResource({ code, what, remedy, field = '' }: Problem): string {
  return formatProblem({ code, what, remedy, field });
}

function resourceOf({ kind, name = 'x', spec }: Case): unknown {
  const [first = '', second] = name.split('/');
  const metadata = second === undefined ? { name: first } : { name: second, namespace: first };
  return { apiVersion: 'projectcalico.org/v3', kind, metadata, spec: parse(spec) as unknown };
}

/** A wanted line that ends in `*` leaves the rest of the message open. */
function shortened(line: string, want: string | undefined): string {
  if (want?.endsWith('*') !== true) return line;
  return line.startsWith(want.slice(0, -1)) ? want : line;
}
