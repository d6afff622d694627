/** Node: one machine of the cluster, its BGP identity and its tunnel addresses. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { interfaceName } from '../schema/names.ts';
import { address, asNumber, interfaceAddress, macAddress } from '../schema/network.ts';
import { type KindNames, resource } from './kind.ts';

const bgp = rules(
  z.strictObject({
    asNumber: z.exactOptional(asNumber()),
    /** With its length it also names the node's subnet (CrossSubnet); a bare address means its own /32. */
    ipv4Address: z.exactOptional(interfaceAddress(4)),
    ipv6Address: z.exactOptional(interfaceAddress(6)),
    ipv4IPIPTunnelAddr: z.exactOptional(address(4)),
    routeReflectorClusterID: z.exactOptional(address(4)),
  }),
  function* (bgp): Generator<Complaint> {
    if (Object.keys(bgp).length > 0) return;
    yield {
      what: 'bgp is empty',
      remedy: 'set ipv4Address or ipv6Address, or remove bgp if the node speaks no BGP',
    };
  },
);

const spec = z.strictObject({
  bgp: z.exactOptional(bgp),
  ipv4VXLANTunnelAddr: z.exactOptional(address(4)),
  vxlanTunnelMACAddr: z.exactOptional(macAddress()),
  ipv6VXLANTunnelAddr: z.exactOptional(address(6)),
  vxlanTunnelMACAddrV6: z.exactOptional(macAddress()),
  orchRefs: z.exactOptional(
    z.array(z.strictObject({ nodeName: z.exactOptional(z.string()), orchestrator: z.string() })),
  ),
  wireguard: z.exactOptional(
    z.strictObject({
      interfaceIPv4Address: z.exactOptional(address(4)),
      interfaceIPv6Address: z.exactOptional(address(6)),
    }),
  ),
  addresses: z.exactOptional(
    z.array(
      z.strictObject({
        address: z.string(),
        type: z.exactOptional(z.enum(['CalicoNodeIP', 'InternalIP', 'ExternalIP'])),
      }),
    ),
  ),
  interfaces: z.exactOptional(
    z.array(z.strictObject({ name: interfaceName(), addresses: z.exactOptional(z.array(z.string())) })),
  ),
});

const status = z.strictObject({
  wireguardPublicKey: z.exactOptional(z.string()),
  wireguardPublicKeyV6: z.exactOptional(z.string()),
  podCIDRs: z.exactOptional(z.array(z.string())),
});

export const node = {
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no', 'nos'],
  namespaced: false,
  schema: resource('Node', spec.prefault({})).extend({ status: z.exactOptional(status) }),
} as const satisfies KindNames<'Node'> & { schema: z.ZodType };

export type Node = z.output<typeof node.schema>;
