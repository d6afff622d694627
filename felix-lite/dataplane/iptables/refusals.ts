/** Which chains a refused transaction is about, so that they alone are set aside. */
import { iptables } from '../../../net/kernel/index.ts';
import type { TableName } from '../../rules/types.ts';

type Step = iptables.RestoreStep;

export interface Suspicion {
  /** A chain that may be set aside: of users' making, and not set aside yet. */
  readonly mayRefuse: (chain: string) => boolean;
  readonly write: (steps: readonly Step[]) => Promise<void>;
}

/**
 * The tool names the line where it can; the legacy tool knows only that the kernel refused the whole, and then the chains
 * are tried apart.
 *
 * @param last  nothing else is left to be tried: may take many transactions
 * @returns none where what was written is not to blame
 */
export async function refusedChains(
  error: unknown,
  failed: { readonly table: TableName; readonly steps: readonly Step[] },
  last: boolean,
  { mayRefuse, write }: Suspicion,
): Promise<readonly string[]> {
  const failure = iptables.failureOf(error, [failed]);
  if (failure?.kind !== 'refused') return [];
  const named = failure.step;
  if (named?.op === 'append' && mayRefuse(named.chain)) return [named.chain];
  if (!last) return [];
  const suspects = Map.groupBy(
    failed.steps.filter((step) => step.op === 'append' && mayRefuse(step.chain)),
    ({ chain }) => chain,
  );
  if (!(await takesAnything(write))) return [];
  const blamed = await probe([...suspects.values()], write);
  // Where everything is refused, what was tried meanwhile is not to blame.
  return (await takesAnything(write)) ? blamed : [];
}

/** Whether the kernel and its tools work at all. */
async function takesAnything(write: Suspicion['write']): Promise<boolean> {
  try {
    const chain = 'cali-probe';
    await write([{ op: 'make', chain }]);
    await write([{ op: 'remove', chain }]);
    return true;
  } catch {
    return false;
  }
}

/** Loads the chains under names that nothing refers to; halves what fails until single chains are left. */
async function probe(
  suspects: readonly (readonly Step[])[],
  write: Suspicion['write'],
): Promise<readonly string[]> {
  if (suspects.length === 0) return [];
  const names = suspects.map((_, index) => `cali-probe-${index}`);
  try {
    await write([
      ...names.map((chain): Step => ({ op: 'make', chain })),
      ...suspects.flatMap((steps, index) => steps.map((step) => ({ ...step, chain: names[index] ?? '' }))),
    ]);
    await write([
      ...names.map((chain): Step => ({ op: 'flush', chain })),
      ...names.map((chain): Step => ({ op: 'remove', chain })),
    ]);
    return [];
  } catch {
    if (suspects.length === 1) return suspects[0]?.slice(0, 1).map(({ chain }) => chain) ?? [];
    const half = suspects.length >> 1;
    return [...(await probe(suspects.slice(0, half), write)), ...(await probe(suspects.slice(half), write))];
  }
}
