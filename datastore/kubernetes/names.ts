/** Names of objects in the Kubernetes API for keys of the store, as Calico makes them. Pure. */
import { createHash } from 'node:crypto';
import { Prefix } from '../../net/addr/index.ts';

/** What Kubernetes takes as a name. */
const DNS_NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const LONGEST = 253;

export function isName(text: string): boolean {
  return text.length <= LONGEST && DNS_NAME.test(text);
}

/** `10.0.0.0/26` is `10-0-0-0-26`, `fd00::40/122` is `fd00--40-122`. */
export function cidrName(cidr: string): string {
  return cidr.replaceAll(/[.:/]/g, '-');
}

/** Undefined for a name that {@link cidrName} gives to no CIDR. */
export function cidrOf(name: string): string | undefined {
  const [, base = '', length = ''] = /^(.+)-([0-9]{1,3})$/.exec(name) ?? [];
  const parts = base.split('-');
  const isV4 = parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part));
  const cidr = Prefix.parse(`${parts.join(isV4 ? '.' : ':')}/${length}`)?.toString();
  return cidr !== undefined && cidrName(cidr) === name ? cidr : undefined;
}

/** Of a block affinity: host and block, with a hash where that is too long. */
export function affinityName(host: string, cidr: string): string {
  const block = cidrName(cidr);
  const name = `${host}-${block}`;
  if (name.length < LONGEST) return name;
  // What stays of the host leaves room for the block, eleven digits of the hash and two hyphens.
  const kept = host.slice(0, LONGEST - 1 - block.length - 13);
  return `${kept}-${block}-${sha256(`${host}+${block}`).slice(0, 11)}`;
}

/**
 * Handles may have capitals, which names may not. Of a handle that is no name even then (Calico could not store it), what
 * fits, and a hash.
 */
export function handleName(handle: string): string {
  const name = handle.toLowerCase();
  return isName(name) ? name : hashedName(name, handle);
}

/** Readable as far as that goes, and unique. */
export function hashedName(readable: string, unique: string): string {
  const kept = readable
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 180)
    .replaceAll(/^-+|-+$/g, '');
  return `${kept === '' ? 'x' : kept}-${sha256(unique).slice(0, 20)}`;
}

/**
 * The uid of a v3 resource and that of the object which holds it are each other's mirror image, octet by octet in their
 * bits, so that the two are never taken for one another. Version and variant (octets 6 and 8) stay.
 */
export function mirrorUid(uid: string): string {
  const hex = uid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) return uid;
  const mirrored = Buffer.from(hex, 'hex').map((octet, i) => (i === 6 || i === 8 ? octet : mirror(octet)));
  return Buffer.from(mirrored)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function mirror(octet: number): number {
  let mirrored = 0;
  for (let bit = 0; bit < 8; bit++) mirrored |= ((octet >> bit) & 1) << (7 - bit);
  return mirrored;
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Label by which a node finds its own affinities: base32 of SHA3-256, without padding. */
export function hostnameHash(host: string): string {
  const bits = [...createHash('sha3-256').update(host).digest()]
    .map((octet) => octet.toString(2).padStart(8, '0'))
    .join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
