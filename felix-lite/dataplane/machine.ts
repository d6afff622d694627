/** What the choice of a backend asks of a machine; a seam for tests, since no machine has every kernel. */
import type { IpVersion } from '../../net/addr/index.ts';
import {
  iptables,
  isInstalled,
  KernelError,
  type NftOperation,
  Nftables,
  presentTables,
} from '../../net/kernel/index.ts';

type Iptables = iptables.IptablesBackend;

export interface Machine {
  /** Whether the tools are on the PATH. */
  installed(backend: Iptables): boolean;
  /** The backend of the plain `iptables` program. */
  standard(): Promise<Iptables>;
  /** All tables of one iptables, with their rules. */
  saved(backend: Iptables, version: IpVersion): Promise<readonly iptables.SavedTable[]>;
  /** Whether a table of nf_tables is there, with chains in it. */
  holdsTable(version: IpVersion, name: string): Promise<boolean>;
  /** What the kernel would say to tables as this backend makes them: an error's name, undefined where it takes them. */
  refusal(backend: 'nft' | 'nftables', version: IpVersion): Promise<string | undefined>;
}

/** @param netns  path of a network namespace; default: ours */
export function thisMachine(netns: string | undefined): Machine {
  return {
    installed: (backend) =>
      ([4, 6] as const).every((version) =>
        (['-save', '-restore'] as const).every((what) =>
          isInstalled(iptables.iptablesProgram(version, what, backend)),
        ),
      ),
    standard: async () => (isInstalled('iptables') ? iptables.defaultBackend() : 'nft'),
    saved: async (backend, version) => {
      const tables = await presentTables(version, { netns, backend });
      // No table is named: naming one would create it under legacy.
      return tables.size === 0 ? [] : iptables.save(version, undefined, { netns, backend });
    },
    holdsTable: async (version, name) => {
      const family = familyOf(version);
      using nft = Nftables.open({ netns });
      try {
        return (
          (await nft.listTables(family)).includes(name) && (await nft.listChains({ family, name })).length > 0
        );
      } catch (error) {
        return without(error, false);
      }
    },
    refusal: async (backend, version) => {
      using nft = Nftables.open({ netns });
      try {
        const [refused] = (await nft.refusals(sampleOf(backend, version))).values();
        return refused;
      } catch (error) {
        return without(error, error instanceof KernelError ? error.code : 'unknown');
      }
    },
  };
}

/** What a kernel without nf_tables, or without a family of it, comes to. */
function without<T>(error: unknown, answer: T): T {
  if (error instanceof KernelError && error.code !== 'EPERM') return answer;
  throw error;
}

function familyOf(version: IpVersion): 'ip' | 'ip6' {
  return version === 4 ? 'ip' : 'ip6';
}

/** XT_MAX_COMMENT_LEN: all of struct xt_comment_info. */
const EMPTY_COMMENT = '00'.repeat(256);

/**
 * A little of what the backend writes: a table of the family, a chain that packets come to, and what only it needs.
 * iptables-nft wants matches of iptables (nft_compat); ours, sets and maps of verdicts.
 */
function sampleOf(backend: 'nft' | 'nftables', version: IpVersion): readonly NftOperation[] {
  const table = { family: familyOf(version), name: 'cali-probe' };
  const chain = 'probe';
  return [
    { op: 'add-table', table },
    {
      op: 'add-chain',
      table,
      chain: { name: chain, base: { type: 'filter', hook: 'forward', priority: 0 } },
    },
    backend === 'nft'
      ? {
          op: 'add-rule',
          table,
          rule: {
            chain,
            expressions: [{ kind: 'match', name: 'comment', revision: 0, info: EMPTY_COMMENT }],
          },
        }
      : { op: 'add-set', table, set: { name: 'probe', key: ['ifname'], verdicts: true } },
  ];
}
