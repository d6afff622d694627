/** Keys of TCP MD5 signatures (RFC 2385) that resources name by reference to a Secret, never by themselves. */
import type { Problem } from '../../api/index.ts';

/** Calico's `SecretKeySelector`, as it is in BGPPeer and BGPConfiguration. */
export interface SecretKeyRef {
  readonly name: string;
  readonly key: string;
}

/** @returns the value; undefined where there is no such Secret, or no such key in it */
export type SecretLookup = (name: string, key: string) => string | undefined;

/** What the kernel takes (TCP_MD5SIG_MAXKEYLEN). */
const MAX_OCTETS = 80;

/**
 * Calico's `optional` of a reference is not looked at: a session without the signature that was asked for would be open
 * to whom it was meant to keep out, for as long as the Secret is late.
 */
export function passwordOf(
  { name, key }: SecretKeyRef,
  secret: SecretLookup | undefined,
  resource: string,
  field: string,
): string | Problem {
  const problem = (what: string, remedy: string): Problem => ({
    code: 'SECRET_UNUSABLE',
    resource,
    field,
    value: `${name}/${key}`,
    what,
    remedy: `${remedy}; until then the session is left as it is`,
  });
  if (secret === undefined)
    return problem(
      'bgpd was not told where Secrets are',
      'start it with --secrets FOLDER (or POPLIN_BGPD_SECRETS), where the file NAME/KEY holds the value',
    );
  const value = secret(name, key);
  if (value === undefined || value === '')
    return problem(`there is no Secret "${name}" with a value under "${key}"`, 'create it');
  if (new TextEncoder().encode(value).length > MAX_OCTETS)
    return problem(`the value has more than ${MAX_OCTETS} octets`, 'use a shorter one, on both sides');
  return value;
}
