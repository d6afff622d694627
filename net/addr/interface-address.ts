/** An address together with the subnet it sits in, as `Node.spec.bgp.ipv4Address` and `ip addr` write it. */
import { Address } from './address.ts';
import { Prefix } from './prefix.ts';

export interface InterfaceAddress {
  readonly address: Address;
  readonly prefix: Prefix;
}

/** `10.1.0.3/24`, or a bare `10.1.0.3` which means its own /32 (IPv6: /128). */
export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const slash = text.indexOf('/');
  const address = Address.parse(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const prefix = slash < 0 ? Prefix.host(address) : Prefix.parse(text, { hostBits: 'mask' });
  return prefix === undefined ? undefined : { address, prefix };
}
