/**
 * Which firewall we write to, and what other ones still hold work of ours. Packets pass the rules of all: chains left
 * behind in one would go on judging by a policy that is gone.
 */
import type { Problem } from '../../api/problem.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import type { iptables } from '../../net/kernel/index.ts';
import { isOurs } from './iptables/diff.ts';
import { type Machine, thisMachine } from './machine.ts';
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

type FoundIptables = Readonly<Record<iptables.IptablesBackend, Found>>;

interface FoundTables {
  readonly ours: boolean;
  readonly kubeProxy: boolean;
}

/**
 * What is there decides where nothing is wished for: our own work first, then where kube-proxy writes, then what others use.
 * What the kernel would refuse is never chosen, unless it is wished for.
 *
 * @param versions  those that are needed; what the kernel says of others does not matter
 */
export async function chooseBackend(
  wishes: BackendWishes,
  netns: string | undefined,
  versions: readonly IpVersion[] = [4, 6],
  machine: Machine = thisMachine(netns),
): Promise<ChosenBackend> {
  const open = wishes.iptables === undefined && wishes.nftables !== true;
  const [nft, legacy, tables, takes] = await Promise.all([
    look('nft', machine),
    look('legacy', machine),
    lookAtNftables(machine),
    open ? whatItTakes(machine, versions) : TAKES_ALL,
  ]);
  const use = await choose(wishes, { nft, legacy }, tables, takes, machine);
  const holds = { nft: nft.ours, legacy: legacy.ours, nftables: tables.ours } as const;
  const abandon = (['nftables', 'nft', 'legacy'] as const).filter((each) => each !== use && holds[each]);
  return { use, abandon, problems: use === 'nftables' ? [] : bothInUse(use, nft, legacy) };
}

async function choose(
  wishes: BackendWishes,
  found: FoundIptables,
  tables: FoundTables,
  takes: Takes,
  machine: Machine,
): Promise<Backend> {
  if (wishes.nftables === true) return 'nftables';
  if (wishes.iptables !== undefined) return wishes.iptables;
  const { nft, legacy } = found;
  if (wishes.nftables === undefined && takes.nftables) {
    const isChosen = nft.ours !== legacy.ours;
    if (tables.ours && !isChosen) return 'nftables';
    if (!nft.ours && !legacy.ours && (tables.kubeProxy || !(nft.present || legacy.present)))
      return 'nftables';
  }
  return chooseIptables(found, takes, machine);
}

/**
 * The one that holds work of ours, else the one that holds rules, as in Kubernetes' iptables-wrappers: rules in legacy alone
 * mean legacy. Where that does not decide, the `iptables` program's own.
 */
async function chooseIptables(
  { nft, legacy }: FoundIptables,
  takes: Takes,
  machine: Machine,
): Promise<iptables.IptablesBackend> {
  const nftWorks = nft.present && takes.nft;
  if (nftWorks !== legacy.present) return nftWorks ? 'nft' : 'legacy';
  if (nft.ours !== legacy.ours) return nft.ours ? 'nft' : 'legacy';
  if (nft.others > 0 !== legacy.others > 0) return nft.others > 0 ? 'nft' : 'legacy';
  return nftWorks ? machine.standard() : 'nft';
}

interface Takes {
  readonly nft: boolean;
  readonly nftables: boolean;
}
const TAKES_ALL: Takes = { nft: true, nftables: true };

async function whatItTakes(machine: Machine, versions: readonly IpVersion[]): Promise<Takes> {
  const takes = async (backend: 'nft' | 'nftables'): Promise<boolean> => {
    const refusals = await Promise.all(versions.map((version) => machine.refusal(backend, version)));
    return refusals.every((refusal) => refusal === undefined);
  };
  const [nft, nftables] = await Promise.all([takes('nft'), takes('nftables')]);
  return { nft, nftables };
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

async function look(backend: iptables.IptablesBackend, machine: Machine): Promise<Found> {
  if (!machine.installed(backend)) return { present: false, ours: false, others: 0 };
  const saved = await Promise.all(([4, 6] as const).map((version) => machine.saved(backend, version)));
  const chains = saved.flat().flatMap((table) => table.chains);
  const others = chains.filter(({ name }) => !isOurs(name)).flatMap(({ rules }) => rules);
  return {
    present: true,
    ours: chains.some(({ name }) => isOurs(name)),
    others: others.filter((rule) => !rule.includes('--comment "cali:')).length,
  };
}

async function lookAtNftables(machine: Machine): Promise<FoundTables> {
  const holds = async (name: string): Promise<boolean> => {
    const found = await Promise.all(([4, 6] as const).map((version) => machine.holdsTable(version, name)));
    return found.includes(true);
  };
  const [ours, kubeProxy] = await Promise.all([holds(ourTable(4).name), holds('kube-proxy')]);
  return { ours, kubeProxy };
}
