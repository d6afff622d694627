/**
 * Which tables of iptables the kernel holds, asked of the kernel itself: a tool takes 4 to 60 ms to say that there are none,
 * and the legacy one makes the table that it is asked about.
 */
import { readFileSync } from 'node:fs';
import { KernelError } from './errors.ts';
import type { IptablesBackend, IptablesOptions, IpVersion } from './iptables-tools.ts';
import { Nftables } from './netlink/nftables/nftables.ts';
import { inNamespace } from './netns.ts';

/** As both tools name them. */
const NAMES: ReadonlySet<string> = new Set(['raw', 'mangle', 'nat', 'filter', 'security']);

/**
 * Names of the tables that are there. A table that is missing holds nothing: tools make it when they write.
 *
 * @throws KernelError without permission; the file system's error when the namespace is gone
 */
export async function presentTables(
  version: IpVersion,
  { netns, backend }: IptablesOptions & { readonly backend: IptablesBackend },
): Promise<ReadonlySet<string>> {
  const names = backend === 'nft' ? await nftTables(version, netns) : legacyTables(version, netns);
  return new Set(names.filter((name) => NAMES.has(name)));
}

async function nftTables(version: IpVersion, netns: string | undefined): Promise<readonly string[]> {
  using nft = Nftables.open({ netns });
  try {
    return await nft.listTables(version === 4 ? 'ip' : 'ip6');
  } catch (error) {
    // Without nf_tables, or without this family of it, there are none. What nobody may ask is not known.
    if (error instanceof KernelError && error.code !== 'EPERM') return [];
    throw error;
  }
}

function legacyTables(version: IpVersion, netns: string | undefined): readonly string[] {
  // Of the thread, since it is the thread that is in the namespace.
  const file = `/proc/thread-self/net/${version === 4 ? 'ip' : 'ip6'}_tables_names`;
  const read = (): string => readFileSync(file, 'utf8');
  try {
    return (netns === undefined ? read() : inNamespace(netns, read)).split('\n');
  } catch (error) {
    // The module is not loaded, or not there. (That the namespace is gone says another path.)
    if (
      error instanceof Error &&
      'path' in error &&
      error.path === file &&
      'code' in error &&
      error.code === 'ENOENT'
    )
      return [];
    throw error;
  }
}
