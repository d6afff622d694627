/** Capabilities as people and JSON know them, by the registry "Capability Codes". */
import { hex } from './format.ts';
import type { Capability } from './types.ts';

/** Code and name, then what the capability says. */
export type PlainCapability = Readonly<Record<string, unknown>> & {
  readonly code: number;
  readonly name: string;
};

/** RFC 5492's registry, for those that have a meaning here. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'multiprotocol',
  2: 'route-refresh',
  6: 'extended-message',
  64: 'graceful-restart',
  65: 'four-octet-as',
  69: 'add-path',
  70: 'enhanced-route-refresh',
};

/** Capabilities that we carry as octets alone, by the registry "Capability Codes". */
const OPAQUE: Readonly<Record<number, string>> = {
  3: 'outbound-route-filtering',
  5: 'extended-next-hop',
  8: 'multiple-labels',
  9: 'role',
  67: 'dynamic-capability',
  71: 'long-lived-graceful-restart',
  72: 'routing-policy-distribution',
  73: 'fqdn',
  75: 'software-version',
  76: 'paths-limit',
  128: 'route-refresh-cisco',
};

const AFI: Readonly<Record<number, string>> = { 1: 'ipv4', 2: 'ipv6', 25: 'l2vpn', 16388: 'bgp-ls' };
const SAFI: Readonly<Record<number, string>> = {
  1: 'unicast',
  2: 'multicast',
  4: 'labelled-unicast',
  70: 'evpn',
  71: 'bgp-ls',
  128: 'vpn',
  132: 'rt-constrain',
  133: 'flow-spec',
};

export function plainCapability(capability: Capability): PlainCapability {
  if (capability.code === 'unknown') {
    const { number, value } = capability;
    const name = OPAQUE[number] ?? 'unknown';
    return { code: number, name, ...(value.length === 0 ? {} : { value: hex(value) }) };
  }
  const { code, ...rest } = capability;
  const name = NAMES[code] ?? 'unknown';
  if (capability.code === 1) {
    const { afi, safi } = capability;
    return { code, name, family: `${AFI[afi] ?? `afi-${afi}`}-${SAFI[safi] ?? `safi-${safi}`}` };
  }
  return { code, name, ...rest };
}
