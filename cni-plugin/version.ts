/** The protocol versions spoken here. Older ones (0.1.0, 0.2.0) have a result shape no runtime asks for any more. */

export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

export const NEWEST_VERSION: CniVersion = '1.1.0';

export function isSupported(version: string): version is CniVersion {
  return (SUPPORTED_VERSIONS as readonly string[]).includes(version);
}

/** The list is in order, so a version's place in it compares it. */
export function olderThan(version: CniVersion, than: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) < SUPPORTED_VERSIONS.indexOf(than);
}
