/** What a resource made from an object of Kubernetes is called, and its identity. */
import type { Metadata } from '../kinds/kind.ts';

/** Names of what is made from Kubernetes' objects begin so; no tool strips these. */
export const MADE_PREFIXES = {
  namespace: 'kns.',
  serviceAccount: 'ksa.',
  networkPolicy: 'knp.default.',
  adminNetworkPolicy: 'kanp.adminnetworkpolicy.',
  baselineAdminNetworkPolicy: 'kbanp.baselineadminnetworkpolicy.',
  clusterAdmin: 'kcnp.kube-admin.',
  clusterBaseline: 'kcnp.kube-baseline.',
} as const;

/**
 * The uid of what is made from an object: another than the object's own, or Kubernetes' garbage collector would take the
 * two for one. Calico turns the bits of every octet around, but for the two that hold a UUID's version and variant.
 *
 * @returns the text itself when it is no UUID
 */
export function madeUid(uid: string): string {
  const digits = uid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(digits)) return uid;
  const octets = Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const text = octets
    .map((octet, i) => (i === 6 || i === 8 ? octet : reversed(octet)).toString(16).padStart(2, '0'))
    .join('');
  return [8, 12, 16, 20].reduceRight((whole, at) => `${whole.slice(0, at)}-${whole.slice(at)}`, text);
}

function reversed(octet: number): number {
  let bits = 0;
  for (let i = 0; i < 8; i++) bits |= ((octet >> i) & 1) << (7 - i);
  return bits;
}

/** Head of what is made from an object: a name, and the identity that follows from the object's. */
export function madeMetadata(
  from: { readonly uid?: string; readonly creationTimestamp?: string | null },
  name: string,
  namespace?: string,
): Metadata {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(from.uid === undefined ? {} : { uid: madeUid(from.uid) }),
    ...(typeof from.creationTimestamp === 'string' ? { creationTimestamp: from.creationTimestamp } : {}),
  };
}
