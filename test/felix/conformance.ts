/**
 * What upstream's conformance tests ask of a network plugin, and which of our cases ask it here: a table to read, held
 * complete by `conformance.test.ts`. Ours go further than each: both families, every protocol, every party, three backends.
 */

/** Names as in kubernetes/kubernetes, test/e2e/network/netpol/network_policy.go; ours without "Kubernetes: ". */
export const NETWORK_POLICY: Readonly<Record<string, readonly string[]>> = {
  "should support a 'default-deny-ingress' policy": [
    'default deny of ingress',
    'deny of egress leaves ingress open',
  ],
  "should support a 'default-deny-all' policy": [
    'default deny of both leaves no way in',
    'default deny of both leaves no way out',
  ],
  'should enforce policy to allow traffic from pods within server namespace based on PodSelector': [
    'from pods',
  ],
  'should enforce policy to allow ingress traffic for a target': ['a way in for one besides a deny for all'],
  'should enforce policy to allow ingress traffic from pods in all namespaces': ['from all namespaces'],
  'should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector': [
    'from a namespace',
  ],
  'should enforce policy based on PodSelector with MatchExpressions': [
    'from pods by expressions',
    'from pods by a list of values',
    'from pods with a label of any value',
    'from pods without a label',
  ],
  'should enforce policy based on NamespaceSelector with MatchExpressions': [
    'from namespaces by a list of values',
  ],
  'should enforce policy based on PodSelector or NamespaceSelector': [
    'from pods or a namespace',
    'from pods or other namespaces',
  ],
  'should enforce policy based on PodSelector and NamespaceSelector': ['from pods of other namespaces'],
  'should enforce policy based on Multiple PodSelectors and NamespaceSelectors': [
    'from pods of other namespaces, both by lists',
  ],
  'should enforce policy based on any PodSelectors': ['from any of several pods'],
  'should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector':
    ['from pods of a namespace'],
  'should enforce policy based on Ports': ['a port of a namespace'],
  'should enforce multiple, stacked policies with overlapping podSelectors': [
    'a second policy for a second port',
  ],
  'should support allow-all policy': ['allow all ingress'],
  'should allow ingress access on one named port': ['a port by name'],
  'should allow ingress access from namespace on one named port': ['a port by name of a namespace'],
  'should allow egress access on one named port': ['ports by name on the way out'],
  'should enforce updated policy': [
    'from all allowed to all denied',
    'an update of the rules',
    'an update of the ports',
  ],
  'should allow ingress access from updated namespace': ['namespaces whose labels change'],
  'should allow ingress access from updated pod': ['peers whose labels change'],
  'should deny ingress from pods on other namespaces': ['from all pods of the namespace'],
  'should deny ingress access to updated pod': [
    'a pod that it comes to select',
    'a pod that it no longer selects',
  ],
  'should deny egress from pods based on PodSelector': ['default deny of egress'],
  'should deny egress from all pods in a namespace': ['few-cases.ts: Kubernetes: isolates a whole namespace'],
  'should work with Ingress, Egress specified together': [
    'both directions in one policy, the way in',
    'both directions in one policy, the way out',
  ],
  'should support denying of egress traffic on the client side (even if the server explicitly allows this traffic)':
    ['few-cases.ts: Kubernetes: denies at the client what the server allows'],
  'should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector':
    ['to pods of a namespace'],
  'should enforce ingress policy allowing any port traffic to a server on a specific protocol': [
    'any port of a protocol',
  ],
  'should enforce multiple ingress policies with ingress allow-all policy taking precedence': [
    'one port, and a second policy for all',
  ],
  'should enforce multiple egress policies with egress allow-all policy taking precedence': [
    'one port out, and a second policy for all',
  ],
  'should stop enforcing policies after they are deleted': ['a removal', 'a removal on the way out'],
  'should allow egress access to server in CIDR block': ['an exception that an update allows'],
  'should enforce except clause while egress access to server in CIDR block': [
    'to a block with an exception',
    'to a block of IPv6 with an exception',
  ],
  'should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed': [
    'an exception that another policy allows',
  ],
  'should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector':
    ['all out and none in, the way in', 'all out and none in, the way out'],
  "should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP":
    ['SCTP alone stops TCP and UDP'],
  "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP":
    ['SCTP alone stops TCP and UDP', 'any port of SCTP'],
  'should not allow access by TCP when a policy specifies only UDP': ['a port of UDP'],
  // The contexts of UDP and of SCTP ask again what the first one asks by TCP.
  'UDP and SCTP: should support a ‘default-deny-ingress’ policy': ['default deny of ingress'],
  'UDP and SCTP: should enforce policy based on Ports': ['a port of UDP', 'ports up to endPort of SCTP'],
  'UDP and SCTP: should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector':
    ['pods of a namespace by UDP', 'pods of a namespace by SCTP'],
};

/** Files of kubernetes-sigs/network-policy-api, conformance/tests; ours as in `cluster-cases.ts`. */
export const CLUSTER_POLICY: Readonly<Record<string, readonly string[]>> = {
  'egress-tcp-rules, egress-udp-rules, egress-sctp-rules': [
    'ClusterNetworkPolicy: accepts ports of tcp out',
    'ClusterNetworkPolicy: accepts ports of udp out',
    'ClusterNetworkPolicy: accepts ports of sctp out',
    'AdminNetworkPolicy denies out',
  ],
  'ingress-tcp-rules, ingress-udp-rules, ingress-sctp-rules': [
    'ClusterNetworkPolicy: denies a port of tcp',
    'ClusterNetworkPolicy: denies a port of udp',
    'ClusterNetworkPolicy: denies a port of sctp',
    'AdminNetworkPolicy allows what NetworkPolicy would stop',
  ],
  'gress-rules': [
    'ClusterNetworkPolicy: denies a namespace',
    'ClusterNetworkPolicy: denies a namespace out',
    'ClusterNetworkPolicy: rules in their order',
  ],
  integration: [
    'ClusterNetworkPolicy: Admin, NetworkPolicy and Baseline, in this order',
    'ClusterNetworkPolicy: accepts what NetworkPolicy would stop',
    'ClusterNetworkPolicy: passes on to NetworkPolicy',
    'BaselineAdminNetworkPolicy below AdminNetworkPolicy and NetworkPolicy',
  ],
  priority: [
    'ClusterNetworkPolicy: the lower priority first',
    'AdminNetworkPolicy by priority, and a port by name',
  ],
  'egress-inline-cidr-rules': [
    'ClusterNetworkPolicy: denies networks',
    'ClusterNetworkPolicy: accepts a network',
  ],
  'pod-selector-rules': [
    'ClusterNetworkPolicy: accepts pods',
    'ClusterNetworkPolicy: denies pods by a list',
    'ClusterNetworkPolicy: accepts pods out',
  ],
  'port-range-rules': ['ClusterNetworkPolicy: accepts ports of tcp out', 'AdminNetworkPolicy denies out'],
  'ingress-egress-isolation': ['ClusterNetworkPolicy: the way out says nothing of the way in'],
  'extended-ingress-rules, extended-egress-rules (ports by name)': [
    'ClusterNetworkPolicy: denies a port by name',
  ],
  'baseline: gress-rules, tcp, udp and sctp rules': [
    'ClusterNetworkPolicy: a baseline, ingress',
    'ClusterNetworkPolicy: a baseline, egress',
    'BaselineAdminNetworkPolicy below AdminNetworkPolicy and NetworkPolicy',
  ],
};

/** What upstream asks and is not asked here, and why. */
export const NOT_ASKED: Readonly<Record<string, string>> = {
  'hairpin-rules': 'a pod that speaks to itself does not leave its namespace',
  'same-priority': 'upstream leaves open which of two policies of one priority comes first',
  'experimental-egress-rules (peers by nodes, by domain names)':
    'not expressible: such a rule fails closed and is named (api/kubernetes/cluster-policy.ts)',
};
