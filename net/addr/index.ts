/** Addresses and prefixes: pure, strict, quick. The only address arithmetic in the project. */
export { Address, type IpVersion } from './address.ts';
export { Prefix, type PrefixOptions } from './prefix.ts';
export { type InterfaceAddress, parseInterfaceAddress } from './interface-address.ts';
