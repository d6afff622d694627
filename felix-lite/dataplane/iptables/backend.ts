/**
 * Which of the two iptables we write to, and whether the other still holds work of ours. Packets pass the
 * rules of both: chains left behind in the other one would go on judging by a policy that is gone.
 */
import { CommandError, iptables } from '../../../net/kernel/index.ts';
import { isOurs } from './diff.ts';

export interface ChosenBackend {
  readonly use: iptables.IptablesBackend;
  /** Holds chains of ours from another time. */
  readonly abandon: iptables.IptablesBackend | undefined;
}

/** @param wanted  by configuration; undefined leaves it to what is there: ours first, then what others use */
export async function chooseBackend(
  wanted: iptables.IptablesBackend | undefined,
  netns: string | undefined,
): Promise<ChosenBackend> {
  const [nft, legacy] = await Promise.all([holdsOurs('nft', netns), holdsOurs('legacy', netns)]);
  const own = nft === legacy ? undefined : nft ? 'nft' : 'legacy';
  const use = wanted ?? own ?? (await iptables.detectBackend({ netns }));
  const other = use === 'nft' ? 'legacy' : 'nft';
  return { use, abandon: (other === 'nft' ? nft : legacy) ? other : undefined };
}

async function holdsOurs(backend: iptables.IptablesBackend, netns: string | undefined): Promise<boolean> {
  try {
    // No table is named: naming one would create it under legacy.
    const saved = await Promise.all(
      ([4, 6] as const).map((version) => iptables.save(version, undefined, { netns, backend })),
    );
    return saved.flat().some(({ chains }) => chains.some(({ name }) => isOurs(name)));
  } catch (error) {
    if (error instanceof CommandError && error.notFound) return false;
    throw error;
  }
}
