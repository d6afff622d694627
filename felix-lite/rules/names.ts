/** Names of chains and sets, byte for byte Calico's, so that either finds the other's work in the kernel. */
import { createHash, hash as digest } from 'node:crypto';
import type { IpVersion } from '../../net/addr/index.ts';
import type { Direction, PolicyId, PolicyRef, SetId } from '../calc/model.ts';

/** Every chain whose name begins so is ours. */
export const CHAIN_PREFIX = 'cali-';
/** XT_EXTENSION_MAXNAMELEN less the final NUL. */
const CHAIN_LIMIT = 28;
/** IPSET_MAXNAMELEN less the final NUL. */
const SET_LIMIT = 31;
const GROUP_ID_LENGTH = CHAIN_LIMIT - 'cali-gi-'.length;

/** Characters that are safe in a name on a line of iptables-restore. */
const SAFE = /^[\w./@:+=,-]+$/;

/**
 * `prefix + suffix` if that fits, else the prefix, `_` and as much of base64url(SHA-256(suffix)) as fits.
 * A name that fills the limit and looks hashed is hashed too, so that the two kinds never meet; so is one
 * that a line of iptables-restore could not carry.
 */
export function limitName(prefix: string, suffix: string, limit: number = CHAIN_LIMIT): string {
  const plain = prefix + suffix;
  const looksHashed = plain.length === limit && suffix.startsWith('_');
  if (plain.length <= limit && !looksHashed && SAFE.test(suffix)) return plain;
  const hash = createHash('sha256').update(suffix).digest('base64url');
  return `${prefix}_${hash}`.slice(0, limit);
}

const SHORT_KIND = {
  NetworkPolicy: 'np',
  GlobalNetworkPolicy: 'gnp',
  KubernetesNetworkPolicy: 'knp',
  KubernetesClusterNetworkPolicy: 'kcnp',
} as const;

export function shortKind({ kind }: PolicyId): string {
  return SHORT_KIND[kind];
}

export function policyChain(direction: Direction, id: PolicyId): string {
  const path = id.namespace === '' ? id.name : `${id.namespace}/${id.name}`;
  return limitName(direction === 'ingress' ? 'cali-pi-' : 'cali-po-', `${SHORT_KIND[id.kind]}/${path}`);
}

export function profileChain(direction: Direction, name: string): string {
  return limitName(direction === 'ingress' ? 'cali-pri-' : 'cali-pro-', name);
}

/** Ingress policy guards what goes to the workload (`tw`), egress what comes from it (`fw`). */
export function workloadChain(direction: Direction, interfaceName: string): string {
  return limitName(direction === 'ingress' ? 'cali-tw-' : 'cali-fw-', interfaceName);
}

/** The chain of a run of policies with one selector. SHA3-224 over its description, one item a line. */
export function groupChain(direction: Direction, policies: readonly PolicyRef[]): string {
  const lines = [
    policies[0]?.selector ?? '',
    direction === 'ingress' ? 'inbound' : 'outbound',
    String(policies.length),
    ...policies.map(({ id }) => `{Name: ${id.name}, Namespace: ${id.namespace}, Kind: ${id.kind}}`),
  ];
  const hash = digest('sha3-224', lines.map((line) => `${line}\n`).join(''), 'base64url');
  return (direction === 'ingress' ? 'cali-gi-' : 'cali-go-') + hash.slice(0, GROUP_ID_LENGTH);
}

/** `cali40…` or `cali60…`: the `0` says main set, `t<n>` is a temporary one. */
export function setName(version: IpVersion, id: SetId): string {
  return `cali${version}0${id}`.slice(0, SET_LIMIT);
}

export function temporarySetName(version: IpVersion, index: number): string {
  return `cali${version}t${index}`;
}

/** Whether a set of that name is ours to change and to remove. */
export function isOurSet(name: string): boolean {
  return /^cali[46][0t]/.test(name);
}
