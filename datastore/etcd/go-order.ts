/**
 * Calico's Go structs as `encoding/json` writes them: in which order their members stand, which are left out when they say
 * nothing, and which are written even when they are not there. Pure.
 *
 * From `api/pkg/apis/projectcalico/v3`, `libcalico-go/lib/apis/internalapi` (Node, WorkloadEndpoint),
 * `libcalico-go/lib/backend/model` (IPAM) and `k8s.io/api`. No reader minds the order; what differs between releases is
 * where a field stands that is new in one of them.
 */

/** Members that are known, in order; what is inside those that are structs, lists of structs, or maps. */
export interface Struct {
  readonly names: readonly string[];
  /**
   * Of these `false`, 0, empty text, lists and maps are not written (`omitempty` on what is no pointer). Of others they say
   * something: a pointer to `false` is not the same as none.
   */
  readonly omitted: ReadonlySet<string>;
  /** What stands for a member that is missing, where Go has no way to leave it out. */
  readonly always: Readonly<Record<string, unknown>>;
  readonly inner: Readonly<Record<string, Order>>;
}

/** A map has its keys sorted. */
export type Order = Struct | 'map';

/** @param text  names; one that ends in `?` is omitted when it says nothing */
function struct(
  text: string,
  inner: Readonly<Record<string, Order>> = {},
  always: Readonly<Record<string, unknown>> = {},
): Struct {
  const words = text.split(' ');
  const omitted = words.filter((word) => word.endsWith('?')).map((word) => word.slice(0, -1));
  return { names: words.map((word) => word.replace('?', '')), omitted: new Set(omitted), always, inner };
}

/** AllocationBlock, BlockAffinity, IPAMHandle and IPAMConfig, which share no name in another order. */
export const IPAM: Struct = struct(
  'cidr affinity affinity_claim_time? allocations unallocated attributes sequenceNumber sequenceNumberForAllocation ' +
    'state block deleted hostAffinity? strict_affinity? auto_allocate_blocks? maxBlocksPerHost? ' +
    'kubeVirtVMAddressPersistence ipCooldownSeconds?',
  {
    attributes: struct('handle_id? secondary? alternateOwnerAttrs? releasedAt?', {
      secondary: 'map',
      alternateOwnerAttrs: 'map',
    }),
    sequenceNumberForAllocation: 'map',
    block: 'map',
  },
);

const METADATA = struct(
  'name? generateName? namespace? selfLink? uid? resourceVersion? generation? creationTimestamp deletionTimestamp ' +
    'deletionGracePeriodSeconds labels? annotations? ownerReferences? finalizers? managedFields?',
  {
    labels: 'map',
    annotations: 'map',
    ownerReferences: struct('apiVersion kind name uid controller blockOwnerDeletion'),
  },
);

const CONDITIONS = struct('conditions?', {
  conditions: struct('type status observedGeneration? lastTransitionTime reason message'),
});

function resource(spec: Struct, status: Struct = CONDITIONS, always: object = {}): Struct {
  const inner = { metadata: METADATA, spec, status };
  return struct('kind apiVersion metadata spec status', inner, { spec: {}, ...always });
}

const ENTITY = struct(
  'nets? selector? namespaceSelector? services ports? notNets? notSelector? notPorts? serviceAccounts',
  { services: struct('name? namespace?'), serviceAccounts: struct('names? selector?') },
);
const ICMP = struct('type code');
const RULE = struct(
  'action ipVersion protocol icmp notProtocol notICMP source destination http metadata',
  {
    icmp: ICMP,
    notICMP: ICMP,
    source: ENTITY,
    destination: ENTITY,
    http: struct('methods? paths?', { paths: struct('exact? prefix?') }),
    metadata: struct('annotations?', { annotations: 'map' }),
  },
  { source: {}, destination: {} },
);
const RULES = { ingress: RULE, egress: RULE };
const POLICY = 'tier? order ingress? egress? selector? types? serviceAccountSelector? performanceHints?';
const GLOBAL_POLICY =
  'tier? order ingress? egress? selector? types? doNotTrack? preDNAT? applyOnForward? serviceAccountSelector? ' +
  'namespaceSelector? performanceHints?';

const SELECTOR = struct('matchLabels? matchExpressions?', {
  matchLabels: 'map',
  matchExpressions: struct('key operator values?'),
});
const PEER = struct('podSelector namespaceSelector ipBlock', {
  podSelector: SELECTOR,
  namespaceSelector: SELECTOR,
  ipBlock: struct('cidr except?'),
});
const PORT = struct('protocol port endPort');
const KUBERNETES_POLICY = {
  podSelector: SELECTOR,
  ingress: struct('ports? from?', { ports: PORT, from: PEER }),
  egress: struct('ports? to?', { ports: PORT, to: PEER }),
};

const PASSWORD = struct('secretKeyRef', { secretKeyRef: struct('name? key optional') });
const BLOCKS = struct('cidr?');

const FILTER_RULE = struct(
  'cidr? prefixLength source? interface? matchOperator? peerType? communities asPathPrefix? priority action operations',
  {
    prefixLength: struct('min max'),
    communities: struct('values'),
    operations: struct('addCommunity prependASPath setPriority', {
      addCommunity: struct('value'),
      prependASPath: struct('prefix'),
      setPriority: struct('value'),
    }),
  },
);

const BIRD = struct('state? version? routerID? lastBootTime? lastReconfigurationTime?');
const PEERS = struct('peerIP? type? state? since?');
const ROUTES = struct(
  'type? destination? gateway? interface? learnedFrom',
  { learnedFrom: struct('sourceType? peerIP?') },
  { learnedFrom: {} },
);

const RECONCILED = struct('reconcilerPeriod');
const CONTROLLERS = struct(
  'logSeverityScreen? healthChecks? etcdV3CompactionPeriod prometheusMetricsPort controllers debugProfilePort',
  {
    controllers: struct(
      'node policy workloadEndpoint serviceAccount namespace loadBalancer policyMigration',
      {
        node: struct('reconcilerPeriod syncLabels? hostEndpoint leakGracePeriod', {
          hostEndpoint: struct('autoCreate? createDefaultHostEndpoint? templates?', {
            templates: struct('generateName? interfaceCIDRs? interfacePattern? labels? nodeSelector?', {
              labels: 'map',
            }),
          }),
        }),
        policy: RECONCILED,
        workloadEndpoint: RECONCILED,
        serviceAccount: RECONCILED,
        namespace: RECONCILED,
        loadBalancer: struct('assignIPs?'),
        policyMigration: struct('enabled?'),
      },
    ),
  },
  { controllers: {} },
);

const PROTO_PORT = struct('protocol port net');
const RANGE = struct('min max');
const FELIX = struct(
  'useInternalDataplaneDriver dataplaneDriver? dataplaneWatchdogTimeout ipv6Support routeRefreshInterval ' +
    'interfaceRefreshInterval iptablesRefreshInterval iptablesPostWriteCheckInterval iptablesLockFilePath? ' +
    'iptablesLockTimeout iptablesLockProbeInterval featureDetectOverride? featureGates? ipsetsRefreshInterval ' +
    'maxIpsetSize iptablesBackend xdpRefreshInterval netlinkTimeout metadataAddr? metadataPort openstackRegion? ' +
    'interfacePrefix? interfaceExclude? chainInsertMode? defaultEndpointToHostAction? iptablesFilterAllowAction? ' +
    'iptablesMangleAllowAction? iptablesFilterDenyAction? logPrefix? logActionRateLimit logActionRateLimitBurst ' +
    'logFilePath? logSeverityFile? logSeverityScreen? logSeveritySys? logDebugFilenameRegex? ipipEnabled ipipMTU ' +
    'vxlanEnabled vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI allowVXLANPacketsFromWorkloads ' +
    'allowIPIPPacketsFromWorkloads reportingInterval reportingTTL endpointReportingEnabled endpointReportingDelay ' +
    'endpointStatusPathPrefix? iptablesMarkMask disableConntrackInvalidCheck healthEnabled healthHost healthPort ' +
    'healthTimeoutOverrides? prometheusMetricsEnabled prometheusMetricsHost? prometheusMetricsPort ' +
    'prometheusMetricsCAFile prometheusMetricsCertFile prometheusMetricsKeyFile prometheusMetricsClientAuth ' +
    'prometheusGoMetricsEnabled prometheusProcessMetricsEnabled prometheusWireGuardMetricsEnabled ' +
    'failsafeInboundHostPorts failsafeOutboundHostPorts kubeNodePortRanges policySyncPathPrefix? ' +
    'usageReportingEnabled usageReportingInitialDelay usageReportingInterval natPortRange natOutgoingAddress? ' +
    'natOutgoingExclusions deviceRouteSourceAddress? deviceRouteSourceAddressIPv6? deviceRouteProtocol ' +
    'removeExternalRoutes programClusterRoutes ipForwarding? externalNodesList debugMemoryProfilePath? ' +
    'debugDisableLogDropping debugSimulateCalcGraphHangAfter debugSimulateDataplaneHangAfter ' +
    'debugSimulateDataplaneApplyDelay debugHost debugPort iptablesNATOutgoingInterfaceFilter? ' +
    'sidecarAccelerationEnabled xdpEnabled genericXDPEnabled nftablesMode nftablesRefreshInterval ' +
    'nftablesFilterAllowAction? nftablesMangleAllowAction? nftablesFilterDenyAction? nftablesMarkMask bpfEnabled ' +
    'bpfDisableUnprivileged bpfJITHardening bpfLogLevel? bpfConntrackLogLevel bpfConntrackMode bpfConntrackTimeouts ' +
    'bpfLogFilters bpfCTLBLogFilter bpfDataIfacePattern? bpfL3IfacePattern? bpfConnectTimeLoadBalancingEnabled ' +
    'bpfConnectTimeLoadBalancing bpfHostNetworkedNATWithoutCTLB bpfExternalServiceMode? bpfDSROptoutCIDRs ' +
    'bpfExtToServiceConnmark bpfKubeProxyIptablesCleanupEnabled bpfKubeProxyMinSyncPeriod bpfKubeProxyHealthzPort ' +
    'bpfKubeProxyEndpointSlicesEnabled bpfPSNATPorts bpfMapSizeNATFrontend bpfMapSizeNATBackend ' +
    'bpfMapSizeNATAffinity bpfMapSizeRoute bpfMapSizeConntrack bpfMapSizePerCpuConntrack ' +
    'bpfMapSizeConntrackScaling bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState ' +
    'bpfMaglevMaxEndpointsPerService bpfMaglevMaxServices bpfHostConntrackBypass bpfEnforceRPF ' +
    'bpfPolicyDebugEnabled bpfForceTrackPacketsFromIfaces bpfDisableGROForIfaces bpfExcludeCIDRsFromNAT ' +
    'bpfExportBufferSizeMB bpfAttachType flowLogsPolicyEvaluationMode bpfRedirectToPeer bpfOverlayHostSourceIP ' +
    'bpfIPFragTimeout bpfIPFragmentReassemblyEnabled flowLogsFlushInterval flowLogsCollectorDebugTrace ' +
    'flowLogsGoldmaneServer flowLogsLocalReporter bpfProfiling routeSource? routeTableRanges routeTableRange ' +
    'routeSyncDisabled ipv4NormalRoutePriority ipv4ElevatedRoutePriority ipv6NormalRoutePriority ' +
    'ipv6ElevatedRoutePriority liveMigrationRouteConvergenceTime localSubnetL2Reachability ' +
    'localSubnetL2ReachabilityRefreshInterval wireguardEnabled wireguardEnabledV6 wireguardThreadingEnabled ' +
    'wireguardListeningPort wireguardListeningPortV6 wireguardRoutingRulePriority wireguardInterfaceName? ' +
    'wireguardInterfaceNameV6? wireguardMTU wireguardMTUV6 wireguardHostEncryptionEnabled wireguardKeepAlive ' +
    'awsSrcDstCheck serviceLoopPrevention? workloadSourceSpoofing? mtuIfacePattern? floatingIPs ' +
    'windowsManageFirewallRules goGCThreshold goMemoryLimitMB goMaxProcs requireMTUFile istioAmbientMode ' +
    'istioDSCPMark cgroupV2Path nodeSelector',
  {
    healthTimeoutOverrides: struct('name timeout'),
    failsafeInboundHostPorts: PROTO_PORT,
    failsafeOutboundHostPorts: PROTO_PORT,
    bpfConntrackTimeouts: struct(
      'creationGracePeriod tcpSynSent tcpEstablished tcpFinsSeen tcpResetSeen udpTimeout genericTimeout icmpTimeout',
    ),
    bpfLogFilters: 'map',
    routeTableRanges: RANGE,
    routeTableRange: RANGE,
  },
);

const NODE = struct(
  'bgp ipv4VXLANTunnelAddr? vxlanTunnelMACAddr? ipv6VXLANTunnelAddr? vxlanTunnelMACAddrV6? orchRefs? wireguard addresses? ' +
    'interfaces?',
  {
    bgp: struct('asNumber ipv4Address? ipv6Address? ipv4IPIPTunnelAddr? routeReflectorClusterID?'),
    orchRefs: struct('nodeName? orchestrator', {}, { orchestrator: '' }),
    wireguard: struct('interfaceIPv4Address? interfaceIPv6Address?'),
    addresses: struct('address type?'),
    interfaces: struct('name? addresses?'),
  },
);

const ENDPOINT = struct(
  'orchestrator? workload? node? containerID? pod? endpoint? serviceAccountName? ipNetworks? ipNATs? ipv4Gateway? ipv6Gateway? ' +
    'profiles? interfaceName? mac? ports? allowSpoofedSourcePrefixes? qosControls',
  {
    ipNATs: struct('internalIP externalIP'),
    ports: struct('name protocol port hostPort hostIP', {}, { name: '', hostPort: 0, hostIP: '' }),
    qosControls: struct(
      'ingressBandwidth? ingressBurst? ingressPeakrate? ingressMinburst? egressBandwidth? egressBurst? egressPeakrate? ' +
        'egressMinburst? ingressPacketRate? ingressPacketBurst? egressPacketRate? egressPacketBurst? ' +
        'ingressMaxConnections? egressMaxConnections? dscp',
    ),
  },
);

const NODE_STATUS = struct(
  'lastUpdated agent bgp routes',
  {
    agent: struct('birdV4 birdV6', { birdV4: BIRD, birdV6: BIRD }, { birdV4: {}, birdV6: {} }),
    bgp: struct(
      'numberEstablishedV4 numberNotEstablishedV4 numberEstablishedV6 numberNotEstablishedV6 peersV4? peersV6?',
      { peersV4: PEERS, peersV6: PEERS },
      {
        numberEstablishedV4: 0,
        numberNotEstablishedV4: 0,
        numberEstablishedV6: 0,
        numberNotEstablishedV6: 0,
      },
    ),
    routes: struct('routesV4? routesV6?', { routesV4: ROUTES, routesV6: ROUTES }),
  },
  { lastUpdated: null, agent: {}, bgp: {}, routes: {} },
);

const OTHERS = struct('kind apiVersion metadata spec status', { metadata: METADATA, status: CONDITIONS });

const RESOURCES: Readonly<Record<string, Struct>> = {
  BGPConfiguration: resource(
    struct(
      'logSeverityScreen? nodeToNodeMeshEnabled asNumber serviceLoadBalancerIPs? serviceExternalIPs? serviceClusterIPs? ' +
        'serviceLoadBalancerAggregation communities? prefixAdvertisements? listenPort? nodeMeshPassword ' +
        'nodeMeshMaxRestartTime bindMode ignoredInterfaces? localWorkloadPeeringIPV4? localWorkloadPeeringIPV6? ' +
        'programClusterRoutes ipv4NormalRoutePriority ipv6NormalRoutePriority',
      {
        serviceLoadBalancerIPs: BLOCKS,
        serviceExternalIPs: BLOCKS,
        serviceClusterIPs: BLOCKS,
        communities: struct('name? value?'),
        prefixAdvertisements: struct('cidr? communities?'),
        nodeMeshPassword: PASSWORD,
      },
    ),
  ),
  BGPFilter: resource(
    struct('exportV4? importV4? exportV6? importV6?', {
      exportV4: FILTER_RULE,
      importV4: FILTER_RULE,
      exportV6: FILTER_RULE,
      importV6: FILTER_RULE,
    }),
  ),
  BGPPeer: resource(
    struct(
      'node? nodeSelector? peerIP? asNumber? localASNumber peerSelector? keepOriginalNextHop? password sourceAddress? ' +
        'maxRestartTime keepaliveTime numAllowedLocalASNumbers ttlSecurity reachableBy? filters? ' +
        'localWorkloadSelector? reversePeering nextHopMode',
      { password: PASSWORD },
    ),
  ),
  BlockAffinity: resource(struct('state node type cidr deleted')),
  CalicoNodeStatus: resource(struct('node? classes? updatePeriodSeconds'), NODE_STATUS, { status: {} }),
  ClusterInformation: resource(struct('clusterGUID? clusterType? calicoVersion? datastoreReady variant?')),
  FelixConfiguration: resource(FELIX),
  GlobalNetworkPolicy: resource(struct(GLOBAL_POLICY, RULES)),
  GlobalNetworkSet: resource(struct('nets?')),
  HostEndpoint: resource(
    struct('node? interfaceName? expectedIPs? profiles? ports?', { ports: struct('name protocol port') }),
  ),
  IPAMConfiguration: resource(
    struct(
      'strictAffinity maxBlocksPerHost? autoAllocateBlocks kubeVirtVMAddressPersistence ipCooldownSeconds? ' +
        'minIPReclaimAgeSeconds?',
      {},
      { strictAffinity: false, autoAllocateBlocks: false },
    ),
  ),
  IPPool: resource(
    struct(
      'cidr vxlanMode? ipipMode? natOutgoing? disabled? disableBGPExport? blockSize? nodeSelector? namespaceSelector? ' +
        'ipip nat-outgoing? allowedUses? assignmentMode',
    ),
  ),
  IPReservation: resource(struct('reservedCIDRs?')),
  KubeControllersConfiguration: resource(
    CONTROLLERS,
    struct('runningConfig environmentVars?', { runningConfig: CONTROLLERS, environmentVars: 'map' }),
    { status: {} },
  ),
  NetworkPolicy: resource(struct(POLICY, RULES)),
  NetworkSet: resource(struct('nets?')),
  Node: resource(NODE, struct('wireguardPublicKey? wireguardPublicKeyV6? podCIDRs?'), { status: {} }),
  Profile: resource(struct('ingress? egress? labelsToApply?', { ...RULES, labelsToApply: 'map' })),
  StagedGlobalNetworkPolicy: resource(struct(`stagedAction? ${GLOBAL_POLICY}`, RULES)),
  StagedKubernetesNetworkPolicy: resource(
    struct('stagedAction? podSelector ingress? egress? policyTypes?', KUBERNETES_POLICY, { podSelector: {} }),
  ),
  StagedNetworkPolicy: resource(struct(`stagedAction? ${POLICY}`, RULES)),
  Tier: resource(struct('order defaultAction')),
  WorkloadEndpoint: resource(ENDPOINT),
};

/** Of what is a resource, by its `kind`; of a kind that Calico has none of, only what all resources have. */
export function resourceOrder(kind: unknown): Struct {
  return typeof kind === 'string' && Object.hasOwn(RESOURCES, kind) ? (RESOURCES[kind] ?? OTHERS) : OTHERS;
}
