/** FelixConfiguration: the dataplane agent, for the cluster (`default`) or for one node (`node.<name>`). */
import { z } from 'zod';
import { rules } from '../schema/field.ts';
import { duration } from '../schema/duration.ts';
import { cidr } from '../schema/network.ts';
import { integer, port } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { clusterOrNode } from './naming.ts';
import { protocol } from './rule.ts';

const protoPorts = z.array(
  z.strictObject({ protocol, port: port(), net: z.exactOptional(cidr({ bare: true, hostBits: 'mask' })) }),
);
const flag = () => z.exactOptional(z.boolean());
const text = () => z.exactOptional(z.string());
const interval = () => z.exactOptional(duration());
const mtu = () => z.exactOptional(integer(0, 65_535));
const logLevel = z.enum(['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'None']);

const spec = z.strictObject({
  logSeverityScreen: z.exactOptional(logLevel),
  logSeverityFile: z.exactOptional(logLevel),
  logSeveritySys: z.exactOptional(logLevel),
  logFilePath: text(),
  logPrefix: text(),
  interfacePrefix: text(),
  interfaceExclude: text(),
  chainInsertMode: z.exactOptional(z.enum(['Insert', 'Append'])),
  defaultEndpointToHostAction: z.exactOptional(z.enum(['Drop', 'Accept', 'Return'])),
  iptablesFilterAllowAction: z.exactOptional(z.enum(['Accept', 'Return'])),
  iptablesMangleAllowAction: z.exactOptional(z.enum(['Accept', 'Return'])),
  iptablesFilterDenyAction: z.exactOptional(z.enum(['Drop', 'Reject'])),
  iptablesBackend: z.exactOptional(z.enum(['Auto', 'Legacy', 'NFT'])),
  nftablesMode: z.exactOptional(z.enum(['Auto', 'Enabled', 'Disabled'])),
  iptablesMarkMask: z.exactOptional(integer(1, 0xffff_ffff)),
  nftablesMarkMask: z.exactOptional(integer(1, 0xffff_ffff)),
  iptablesRefreshInterval: interval(),
  nftablesRefreshInterval: interval(),
  ipsetsRefreshInterval: interval(),
  routeRefreshInterval: interval(),
  interfaceRefreshInterval: interval(),
  iptablesLockProbeInterval: interval(),
  iptablesPostWriteCheckInterval: interval(),
  endpointReportingEnabled: flag(),
  endpointReportingDelay: interval(),
  endpointStatusPathPrefix: text(),
  reportingInterval: interval(),
  reportingTTL: interval(),
  maxIpsetSize: z.exactOptional(integer(1, 0x7fff_ffff)),
  failsafeInboundHostPorts: z.exactOptional(protoPorts),
  failsafeOutboundHostPorts: z.exactOptional(protoPorts),
  deviceRouteProtocol: z.exactOptional(integer(1, 255)),
  deviceRouteSourceAddress: text(),
  deviceRouteSourceAddressIPv6: text(),
  removeExternalRoutes: flag(),
  routeSource: z.exactOptional(z.enum(['WorkloadIPs', 'CalicoIPAM'])),
  routeTableRanges: z.exactOptional(
    z.array(z.strictObject({ min: integer(1, 0xffff_ffff), max: integer(1, 0xffff_ffff) })),
  ),
  programClusterRoutes: z.exactOptional(z.enum(['Enabled', 'Disabled', 'EnabledNoEncapOnly'])),
  natPortRange: z.exactOptional(
    z.union([z.number(), z.string()], { error: 'a port or a range such as "32768:65535"' }),
  ),
  natOutgoingAddress: text(),
  natOutgoingExclusions: z.exactOptional(z.enum(['IPPoolsOnly', 'IPPoolsAndHostIPs'])),
  allowIPIPPacketsFromWorkloads: flag(),
  allowVXLANPacketsFromWorkloads: flag(),
  workloadSourceSpoofing: z.exactOptional(z.enum(['Disabled', 'Any'])),
  serviceLoopPrevention: z.exactOptional(z.enum(['Drop', 'Reject', 'Disabled'])),
  floatingIPs: z.exactOptional(z.enum(['Enabled', 'Disabled'])),
  ipForwarding: z.exactOptional(z.enum(['Enabled', 'Disabled'])),
  ipv6Support: flag(),
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
  wireguardRoutingRulePriority: z.exactOptional(integer(0, 0x7fff_ffff)),
  wireguardKeepAlive: interval(),
  mtuIfacePattern: text(),
  healthEnabled: flag(),
  healthHost: text(),
  healthPort: z.exactOptional(port()),
  prometheusMetricsEnabled: flag(),
  prometheusMetricsHost: text(),
  prometheusMetricsPort: z.exactOptional(port()),
  prometheusGoMetricsEnabled: flag(),
  prometheusProcessMetricsEnabled: flag(),
  prometheusWireGuardMetricsEnabled: flag(),
  metadataAddr: text(),
  metadataPort: z.exactOptional(port()),
  policySyncPathPrefix: text(),
  usageReportingEnabled: flag(),
  featureDetectOverride: text(),
  featureGates: text(),
  sidecarAccelerationEnabled: flag(),
  xdpEnabled: flag(),
  xdpRefreshInterval: interval(),
  genericXDPEnabled: flag(),
  bpfEnabled: flag(),
  nodeSelector: text(),
});

export const felixConfiguration = {
  kind: 'FelixConfiguration',
  plural: 'felixconfigurations',
  shortNames: ['felixconfig', 'felixconfigs'],
  namespaced: false,
  schema: rules(resource('FelixConfiguration', spec.prefault({})), clusterOrNode),
} as const satisfies KindNames<'FelixConfiguration'> & { schema: z.ZodType };

export type FelixConfiguration = z.output<typeof felixConfiguration.schema>;
