/** The parameters of FelixConfiguration, as Calico 3.32 has them; a few that older releases had come last. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { duration } from '../schema/duration.ts';
import { address, cidr } from '../schema/network.ts';
import { dscp, int32, integer, matching, port, portRange, selector, word } from '../schema/scalars.ts';
import { protocol } from './rule.ts';

const protoPorts = () =>
  z.exactOptional(
    z.array(
      z.strictObject({
        protocol: protocol.prefault('TCP'),
        port: port(),
        net: z.exactOptional(cidr({ bare: true, hostBits: 'mask' })),
      }),
    ),
  );
const flag = () => z.exactOptional(z.boolean());
const text = () => z.exactOptional(z.string());
const interval = () => z.exactOptional(duration());
const number = () => z.exactOptional(int32());
const size = () => z.exactOptional(integer(1, 0x7fff_ffff));
const mtu = () => z.exactOptional(integer(0, 65_535));
/** 0 switches the server off. */
const portOrOff = () => z.exactOptional(integer(0, 65_535));
const mask = () => z.exactOptional(integer(0, 0xffff_ffff));
const logLevel = () => z.exactOptional(word(['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'None']));
const switched = () => z.exactOptional(z.enum(['Enabled', 'Disabled']));
const cidrs = () => z.exactOptional(z.array(cidr({ bare: true, hostBits: 'mask' })));

const allowAction = () => z.exactOptional(word(['Accept', 'Return']));
const denyAction = () => z.exactOptional(word(['Drop', 'Reject']));

function tableRange(max: number) {
  return rules(
    z.strictObject({ min: integer(1, max), max: integer(1, max) }),
    function* (range): Generator<Complaint> {
      if (range.min <= range.max) return;
      yield { path: ['min'], what: `min ${range.min} is above max ${range.max}`, remedy: 'swap them' };
    },
  );
}

const timeout = () =>
  z.exactOptional(
    matching(
      /^(?:(?:[0-9]*(?:\.[0-9]*)?(?:ms|s|h|m|us)+)+|Auto)$/,
      'a duration such as 60s, or Auto for the kernel’s own value',
      '60s',
    ),
  );

const conntrackTimeouts = z.strictObject({
  creationGracePeriod: timeout(),
  genericTimeout: timeout(),
  icmpTimeout: timeout(),
  tcpEstablished: timeout(),
  tcpFinsSeen: timeout(),
  tcpResetSeen: timeout(),
  tcpSynSent: timeout(),
  udpTimeout: timeout(),
});

const logging = {
  logSeverityScreen: logLevel(),
  logSeverityFile: logLevel(),
  logSeveritySys: logLevel(),
  logFilePath: text(),
  logDebugFilenameRegex: text(),
  /** Of packets that a Log rule meets; `%t` tier, `%k` kind, `%n` name, `%p` namespace and name. */
  logPrefix: z.exactOptional(
    matching(
      /^[a-zA-Z0-9%: /_-]*$/,
      'a prefix of letters, digits, "%", ":", " ", "/", "_" and "-"',
      'calico-packet',
    ),
  ),
  logActionRateLimit: z.exactOptional(
    matching(
      /^[1-9]\d{0,3}\/(?:second|minute|hour|day)$/,
      'a rate: 1 to 9999 per second, minute, hour or day',
      '10/second',
    ),
  ),
  logActionRateLimitBurst: z.exactOptional(integer(0, 9999)),
  debugDisableLogDropping: flag(),
  debugHost: text(),
  debugPort: z.exactOptional(port()),
  debugMemoryProfilePath: text(),
  debugSimulateCalcGraphHangAfter: interval(),
  debugSimulateDataplaneApplyDelay: interval(),
  debugSimulateDataplaneHangAfter: interval(),
};

const packets = {
  interfacePrefix: text(),
  interfaceExclude: text(),
  chainInsertMode: z.exactOptional(word(['Insert', 'Append'])),
  defaultEndpointToHostAction: z.exactOptional(word(['Drop', 'Accept', 'Return'])),
  disableConntrackInvalidCheck: flag(),
  iptablesBackend: z.exactOptional(word(['Auto', 'Legacy', 'NFT'])),
  iptablesFilterAllowAction: allowAction(),
  iptablesFilterDenyAction: denyAction(),
  iptablesMangleAllowAction: allowAction(),
  iptablesMarkMask: mask(),
  iptablesRefreshInterval: interval(),
  iptablesLockProbeInterval: interval(),
  iptablesPostWriteCheckInterval: interval(),
  iptablesNATOutgoingInterfaceFilter: text(),
  nftablesMode: z.exactOptional(z.enum(['Auto', 'Enabled', 'Disabled'])),
  nftablesFilterAllowAction: allowAction(),
  nftablesFilterDenyAction: denyAction(),
  nftablesMangleAllowAction: allowAction(),
  nftablesMarkMask: mask(),
  nftablesRefreshInterval: interval(),
  ipsetsRefreshInterval: interval(),
  maxIpsetSize: size(),
  netlinkTimeout: interval(),
  failsafeInboundHostPorts: protoPorts(),
  failsafeOutboundHostPorts: protoPorts(),
  natPortRange: z.exactOptional(portRange()),
  natOutgoingAddress: z.exactOptional(address(4)),
  natOutgoingExclusions: z.exactOptional(z.enum(['IPPoolsOnly', 'IPPoolsAndHostIPs'])),
  kubeNodePortRanges: z.exactOptional(z.array(portRange()).max(7)),
  allowIPIPPacketsFromWorkloads: flag(),
  allowVXLANPacketsFromWorkloads: flag(),
  externalNodesList: cidrs(),
  workloadSourceSpoofing: z.exactOptional(word(['Disabled', 'Any'])),
  serviceLoopPrevention: z.exactOptional(word(['Drop', 'Reject', 'Disabled'])),
  floatingIPs: switched(),
  ipForwarding: switched(),
  ipv6Support: flag(),
  sidecarAccelerationEnabled: flag(),
  xdpEnabled: flag(),
  xdpRefreshInterval: interval(),
  genericXDPEnabled: flag(),
  istioAmbientMode: switched(),
  istioDSCPMark: z.exactOptional(dscp()),
};

const routes = {
  deviceRouteProtocol: z.exactOptional(integer(0, 255)),
  deviceRouteSourceAddress: z.exactOptional(address(4)),
  deviceRouteSourceAddressIPv6: z.exactOptional(address(6)),
  removeExternalRoutes: flag(),
  routeRefreshInterval: interval(),
  interfaceRefreshInterval: interval(),
  routeSource: z.exactOptional(word(['WorkloadIPs', 'CalicoIPAM'])),
  routeSyncDisabled: flag(),
  routeTableRange: z.exactOptional(tableRange(250)),
  routeTableRanges: z.exactOptional(z.array(tableRange(0xffff_ffff))),
  programClusterRoutes: z.exactOptional(
    z.enum(['Enabled', 'Disabled', 'EnabledIPIPOnly', 'EnabledNoEncapOnly']),
  ),
  ipv4NormalRoutePriority: size(),
  ipv4ElevatedRoutePriority: size(),
  ipv6NormalRoutePriority: size(),
  ipv6ElevatedRoutePriority: size(),
  liveMigrationRouteConvergenceTime: interval(),
  localSubnetL2Reachability: z.exactOptional(z.enum(['Disabled', 'PodsAndLoadBalancers'])),
  localSubnetL2ReachabilityRefreshInterval: interval(),
  awsSrcDstCheck: z.exactOptional(z.enum(['DoNothing', 'Enable', 'Disable'])),
};

const tunnels = {
  ipipEnabled: flag(),
  ipipMTU: mtu(),
  vxlanEnabled: flag(),
  vxlanMTU: mtu(),
  vxlanMTUV6: mtu(),
  vxlanPort: z.exactOptional(port()),
  vxlanVNI: z.exactOptional(integer(1, 0xff_ffff)),
  wireguardEnabled: flag(),
  wireguardEnabledV6: flag(),
  wireguardMTU: mtu(),
  wireguardMTUV6: mtu(),
  wireguardListeningPort: z.exactOptional(port()),
  wireguardListeningPortV6: z.exactOptional(port()),
  wireguardHostEncryptionEnabled: flag(),
  wireguardInterfaceName: text(),
  wireguardInterfaceNameV6: text(),
  wireguardKeepAlive: interval(),
  wireguardRoutingRulePriority: z.exactOptional(integer(0, 0x7fff_ffff)),
  wireguardThreadingEnabled: flag(),
  mtuIfacePattern: text(),
  requireMTUFile: flag(),
};

const daemon = {
  dataplaneDriver: text(),
  useInternalDataplaneDriver: flag(),
  dataplaneWatchdogTimeout: interval(),
  endpointReportingEnabled: flag(),
  endpointReportingDelay: interval(),
  endpointStatusPathPrefix: text(),
  reportingInterval: interval(),
  reportingTTL: interval(),
  healthEnabled: flag(),
  healthHost: text(),
  healthPort: portOrOff(),
  healthTimeoutOverrides: z.exactOptional(z.array(z.strictObject({ name: z.string(), timeout: duration() }))),
  prometheusMetricsEnabled: flag(),
  prometheusMetricsHost: text(),
  prometheusMetricsPort: portOrOff(),
  prometheusMetricsCAFile: text(),
  prometheusMetricsCertFile: text(),
  prometheusMetricsKeyFile: text(),
  prometheusMetricsClientAuth: text(),
  prometheusGoMetricsEnabled: flag(),
  prometheusProcessMetricsEnabled: flag(),
  prometheusWireGuardMetricsEnabled: flag(),
  flowLogsCollectorDebugTrace: flag(),
  flowLogsFlushInterval: interval(),
  flowLogsGoldmaneServer: text(),
  flowLogsLocalReporter: switched(),
  flowLogsPolicyEvaluationMode: z.exactOptional(z.enum(['None', 'Continuous'])),
  goGCThreshold: number(),
  goMaxProcs: number(),
  goMemoryLimitMB: number(),
  metadataAddr: text(),
  metadataPort: z.exactOptional(port()),
  openstackRegion: text(),
  policySyncPathPrefix: text(),
  usageReportingEnabled: flag(),
  usageReportingInitialDelay: interval(),
  usageReportingInterval: interval(),
  featureDetectOverride: z.exactOptional(
    matching(
      /^(?:[a-zA-Z0-9-_]+=(?:true|false|),)*(?:[a-zA-Z0-9-_]+=(?:true|false|))?$/,
      'a list of name=true, name=false or name= with commas',
      'SNATFullyRandom=true,MASQFullyRandom=false',
    ),
  ),
  featureGates: z.exactOptional(
    matching(
      /^(?:[a-zA-Z0-9-_]+=[^=]+,)*(?:[a-zA-Z0-9-_]+=[^=]+)?$/,
      'a list of name=value with commas',
      'XyZ=enabled',
    ),
  ),
  windowsManageFirewallRules: switched(),
  cgroupV2Path: text(),
  /** Only in resources that are named neither `default` nor `node.<name>`: on which nodes they apply. */
  nodeSelector: z.exactOptional(selector()),
};

const bpf = {
  bpfEnabled: flag(),
  bpfAttachType: z.exactOptional(z.enum(['TC', 'TCX'])),
  bpfCTLBLogFilter: text(),
  bpfConnectTimeLoadBalancing: z.exactOptional(z.enum(['TCP', 'Enabled', 'Disabled'])),
  bpfConnectTimeLoadBalancingEnabled: flag(),
  bpfConntrackLogLevel: z.exactOptional(z.enum(['Off', 'Debug'])),
  bpfConntrackMode: z.exactOptional(z.enum(['Auto', 'Userspace', 'BPFProgram'])),
  bpfConntrackTimeouts: z.exactOptional(conntrackTimeouts),
  bpfDSROptoutCIDRs: cidrs(),
  bpfDataIfacePattern: text(),
  bpfDisableGROForIfaces: text(),
  bpfDisableUnprivileged: flag(),
  bpfEnforceRPF: z.exactOptional(word(['Disabled', 'Strict', 'Loose'])),
  bpfExcludeCIDRsFromNAT: cidrs(),
  bpfExportBufferSizeMB: number(),
  bpfExtToServiceConnmark: mask(),
  bpfExternalServiceMode: z.exactOptional(word(['Tunnel', 'DSR'])),
  bpfForceTrackPacketsFromIfaces: z.exactOptional(z.array(z.string())),
  bpfHostConntrackBypass: flag(),
  bpfHostNetworkedNATWithoutCTLB: switched(),
  bpfIPFragTimeout: interval(),
  bpfIPFragmentReassemblyEnabled: flag(),
  bpfJITHardening: z.exactOptional(z.enum(['Auto', 'Strict'])),
  bpfKubeProxyHealthzPort: portOrOff(),
  bpfKubeProxyIptablesCleanupEnabled: flag(),
  bpfKubeProxyMinSyncPeriod: interval(),
  bpfL3IfacePattern: text(),
  bpfLogFilters: z.exactOptional(z.record(z.string(), z.string())),
  bpfLogLevel: z.exactOptional(word(['Off', 'Info', 'Debug'])),
  bpfMaglevMaxEndpointsPerService: size(),
  bpfMaglevMaxServices: size(),
  bpfMapSizeConntrack: number(),
  bpfMapSizeConntrackCleanupQueue: size(),
  bpfMapSizeConntrackScaling: z.exactOptional(word(['Disabled', 'DoubleIfFull'])),
  bpfMapSizeIPSets: number(),
  bpfMapSizeIfState: number(),
  bpfMapSizeNATAffinity: number(),
  bpfMapSizeNATBackend: number(),
  bpfMapSizeNATFrontend: number(),
  bpfMapSizePerCpuConntrack: number(),
  bpfMapSizeRoute: number(),
  bpfOverlayHostSourceIP: z.exactOptional(z.enum(['TunnelAddress', 'HostAddress'])),
  bpfPSNATPorts: z.exactOptional(portRange()),
  bpfPolicyDebugEnabled: flag(),
  bpfProfiling: switched(),
  bpfRedirectToPeer: z.exactOptional(z.enum(['Enabled', 'Disabled', 'L2Only'])),
};

/** Gone from Calico since 3.30; its tools still find them in clusters of then. */
const past = {
  iptablesLockFilePath: text(),
  iptablesLockTimeout: interval(),
  bpfKubeProxyEndpointSlicesEnabled: flag(),
};

export const felixFields = z.strictObject({
  ...logging,
  ...packets,
  ...routes,
  ...tunnels,
  ...daemon,
  ...bpf,
  ...past,
});
