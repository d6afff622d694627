/** What a server gives a resource when it is made, for those from a file that has none. Pure. */
import { IPAM_KINDS } from './kinds.ts';
import { type Dumped, isRecord } from './dump.ts';

/** @returns the object with uid and creationTimestamp; IPAM's objects have neither */
export function identified({ key, value }: Dumped, now: Date, newUid: () => string): Dumped {
  if (IPAM_KINDS.includes(key.kind)) return { key, value };
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  // RFC 3339 in whole seconds, as Kubernetes writes it.
  const creationTimestamp = `${now.toISOString().slice(0, 19)}Z`;
  return { key, value: { ...value, metadata: { uid: newUid(), creationTimestamp, ...metadata } } };
}
