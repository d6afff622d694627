/**
 * What is stored and shown of Calico's kinds, and not acted on by any daemon of ours. Whoever makes a field work removes
 * its line here; `test/house/acted-on.test.ts` compares the lists with the code.
 */
import type { Kind } from './index.ts';

interface Fields {
  /** Paths of fields, `[]` for the items of a list. A field includes what is in it. */
  readonly ignored?: readonly string[];
  /** Fields of spec that are acted on, where they are the few; all others are not. */
  readonly acted?: readonly string[];
}

const POLICY: Fields = {
  ignored: ['spec.ingress[].http', 'spec.egress[].http'],
};

/** Stored whole, until a daemon reads it. */
const WHOLE: Fields = { ignored: ['spec'] };

export const ACTED_ON: Partial<Record<Kind, Fields>> = {
  FelixConfiguration: {
    acted: [
      'allowIPIPPacketsFromWorkloads',
      'allowVXLANPacketsFromWorkloads',
      'defaultEndpointToHostAction',
      'deviceRouteProtocol',
      'deviceRouteSourceAddress',
      'deviceRouteSourceAddressIPv6',
      'externalNodesList',
      'failsafeInboundHostPorts',
      'failsafeOutboundHostPorts',
      'featureDetectOverride',
      'floatingIPs',
      'interfacePrefix',
      'ipForwarding',
      'ipipEnabled',
      'ipipMTU',
      'iptablesBackend',
      'iptablesMarkMask',
      'iptablesNATOutgoingInterfaceFilter',
      'iptablesRefreshInterval',
      'ipv4NormalRoutePriority',
      'ipv6NormalRoutePriority',
      'ipv6Support',
      'logActionRateLimit',
      'logActionRateLimitBurst',
      'logPrefix',
      'maxIpsetSize',
      'mtuIfacePattern',
      'natOutgoingAddress',
      'natOutgoingExclusions',
      'natPortRange',
      'nftablesMode',
      'programClusterRoutes',
      'prometheusMetricsEnabled',
      'prometheusMetricsHost',
      'prometheusMetricsPort',
      'prometheusWireGuardMetricsEnabled',
      'removeExternalRoutes',
      'routeRefreshInterval',
      'routeSource',
      'routeSyncDisabled',
      'routeTableRange',
      'routeTableRanges',
      'serviceLoopPrevention',
      'vxlanEnabled',
      'vxlanMTU',
      'vxlanMTUV6',
      'vxlanPort',
      'vxlanVNI',
      'wireguardEnabled',
      'wireguardEnabledV6',
      'wireguardHostEncryptionEnabled',
      'wireguardInterfaceName',
      'wireguardInterfaceNameV6',
      'wireguardKeepAlive',
      'wireguardListeningPort',
      'wireguardListeningPortV6',
      'wireguardMTU',
      'wireguardMTUV6',
      'wireguardRoutingRulePriority',
      'wireguardThreadingEnabled',
      'workloadSourceSpoofing',
    ],
  },
  BGPConfiguration: {
    ignored: [
      'spec.logSeverityScreen',
      'spec.ignoredInterfaces',
      'spec.localWorkloadPeeringIPV4',
      'spec.localWorkloadPeeringIPV6',
    ],
  },
  BGPPeer: { ignored: ['spec.localWorkloadSelector'] },
  IPAMConfiguration: {
    ignored: ['spec.kubeVirtVMAddressPersistence', 'spec.minIPReclaimAgeSeconds'],
  },
  KubeControllersConfiguration: {
    ignored: [
      'spec.logSeverityScreen',
      'spec.healthChecks',
      'spec.etcdV3CompactionPeriod',
      'spec.prometheusMetricsPort',
      'spec.debugProfilePort',
      'spec.controllers.node.reconcilerPeriod',
      'spec.controllers.node.syncLabels',
      'spec.controllers.policy',
      'spec.controllers.workloadEndpoint',
      'spec.controllers.serviceAccount',
      'spec.controllers.namespace',
      'spec.controllers.loadBalancer',
      'spec.controllers.policyMigration',
    ],
  },
  CalicoNodeStatus: WHOLE,
  GlobalNetworkPolicy: POLICY,
  NetworkPolicy: POLICY,
  Profile: { ignored: ['spec.ingress[].http', 'spec.egress[].http'] },
  WorkloadEndpoint: {
    ignored: [
      'spec.ipv4Gateway',
      'spec.ipv6Gateway',
      'spec.qosControls.ingressPacketRate',
      'spec.qosControls.egressPacketRate',
      'spec.qosControls.ingressPacketBurst',
      'spec.qosControls.egressPacketBurst',
      'spec.qosControls.ingressMaxConnections',
      'spec.qosControls.egressMaxConnections',
      'spec.qosControls.dscp',
    ],
  },
  // kube-proxy acts on these.
  Service: { ignored: ['spec.loadBalancerIP', 'spec.internalTrafficPolicy'] },
};
