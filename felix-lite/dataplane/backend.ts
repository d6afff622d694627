/**
 * Which firewall we write to, and what other ones still hold work of ours. Packets pass the rules of all: chains left
 * behind in one would go on judging by a policy that is gone.
 */
import type { Problem } from '../../api/problem.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { CommandError, hasNftables, iptables, Nftables } from '../../net/kernel/index.ts';
import { isOurs } from './iptables/diff.ts';
import { ourTable } from './nftables/names.ts';

/** `nft` and `legacy` are the two iptables; `nftables` is tables of our own. */
export type Backend = 'nftables' | iptables.IptablesBackend;

export interface BackendWishes {
  /** FelixConfiguration `nftablesMode`: undefined (Auto) leaves it to what is there. */
  readonly nftables: boolean | undefined;
  /** FelixConfiguration `iptablesBackend`: undefined (Auto) leaves it to what is there. */
  readonly iptables: iptables.IptablesBackend | undefined;
}

export interface ChosenBackend {
  readonly use: Backend;
  /** Hold chains of ours from another time. */
  readonly abandon: readonly Backend[];
  /** Rules of others in more than one place. */
  readonly problems: readonly Problem[];
}

interface Found {
  /** The tools are installed. */
  readonly present: boolean;
  readonly ours: boolean;
  /** Rules that are not ours. */
  readonly others: number;
}

/** What is there decides where nothing is wished for: our own work first, then where kube-proxy writes, then what others use. */
export async function chooseBackend(
  wishes: BackendWishes,
  netns: string | undefined,
): Promise<ChosenBackend> {
  const [nft, legacy, tables] = await Promise.all([
    look('nft', netns),
    look('legacy', netns),
    lookAtNftables(netns),
  ]);
  const use = await choose(wishes, { nft, legacy, tables }, netns);
  const holds = { nft: nft.ours, legacy: legacy.ours, nftables: tables.ours } as const;
  const abandon = (['nftables', 'nft', 'legacy'] as const).filter((each) => each !== use && holds[each]);
  return { use, abandon, problems: use === 'nftables' ? [] : bothInUse(use, nft, legacy) };
}

async function choose(
  wishes: BackendWishes,
  { nft, legacy, tables }: { readonly nft: Found; readonly legacy: Found; readonly tables: FoundTables },
  netns: string | undefined,
): Promise<Backend> {
  const ownIptables = nft.ours === legacy.ours ? undefined : nft.ours ? 'nft' : 'legacy';
  const haveIptables = nft.present || legacy.present;
  if (wishes.nftables === true) return 'nftables';
  if (wishes.nftables === undefined && wishes.iptables === undefined && tables.usable) {
    if (tables.ours && ownIptables === undefined) return 'nftables';
    if (!nft.ours && !legacy.ours && (tables.kubeProxy || !haveIptables)) return 'nftables';
  }
  return wishes.iptables ?? ownIptables ?? (await iptables.detectBackend({ netns }));
}

/** Both stand in the packet's way, and who looks at one does not see the other. */
function bothInUse(use: iptables.IptablesBackend, nft: Found, legacy: Found): readonly Problem[] {
  const other = use === 'nft' ? legacy : nft;
  if (other.others === 0) return [];
  const name = use === 'nft' ? 'legacy' : 'nft';
  return [
    {
      code: 'IPTABLES_BOTH_IN_USE',
      value: name,
      what: `policy is written with iptables-${use}, and another program keeps ${other.others} rules with iptables-${name}; packets pass both`,
      remedy: `make all programs of the node use one of the two, or set iptablesBackend of the FelixConfiguration to ${name === 'nft' ? 'NFT' : 'Legacy'}`,
    },
  ];
}

async function look(backend: iptables.IptablesBackend, netns: string | undefined): Promise<Found> {
  try {
    // No table is named: naming one would create it under legacy.
    const saved = await Promise.all(
      ([4, 6] as const).map((version) => iptables.save(version, undefined, { netns, backend })),
    );
    const chains = saved.flat().flatMap((table) => table.chains);
    const others = chains.filter(({ name }) => !isOurs(name)).flatMap(({ rules }) => rules);
    return {
      present: true,
      ours: chains.some(({ name }) => isOurs(name)),
      others: others.filter((rule) => !rule.includes('--comment "cali:')).length,
    };
  } catch (error) {
    if (error instanceof CommandError && error.notFound) return { present: false, ours: false, others: 0 };
    throw error;
  }
}

interface FoundTables {
  readonly usable: boolean;
  readonly ours: boolean;
  readonly kubeProxy: boolean;
}

async function lookAtNftables(netns: string | undefined): Promise<FoundTables> {
  if (!(await hasNftables(netns))) return { usable: false, ours: false, kubeProxy: false };
  using nft = Nftables.open({ netns });
  const holds = async (name: string): Promise<boolean> => {
    const found = await Promise.all(
      ([4, 6] as const).map((version: IpVersion) => nft.listChains({ ...ourTable(version), name })),
    );
    return found.some((chains) => chains.length > 0);
  };
  return { usable: true, ours: await holds(ourTable(4).name), kubeProxy: await holds('kube-proxy') };
}
