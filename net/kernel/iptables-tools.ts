/**
 * The iptables tools as functions: read a table, apply a transaction, tell which backend is in use.
 *
 * One process per call; the tools read and commit a table at once, which no series of `iptables` calls does.
 */
import type { Millis } from '../../clock/clock.ts';
import {
  buildParts,
  buildRestore,
  parseCounters,
  parseSave,
  type RestorePart,
  type RestoreTable,
  type SavedCounter,
  type SavedTable,
} from './iptables-text.ts';
import { CommandError, run } from './process.ts';

export type IpVersion = 4 | 6;
/** `nft`: rules live in nf_tables. `legacy`: in x_tables. Both exist side by side, and each sees only its own. */
export type IptablesBackend = 'nft' | 'legacy';

export interface IptablesOptions {
  /** Path of the network namespace to work in; default: ours. */
  readonly netns?: string | undefined;
  /** Default: whatever `iptables` is on this machine. */
  readonly backend?: IptablesBackend | undefined;
}

export interface RestoreOptions extends IptablesOptions {
  /** Keep chains that the input does not name. Default true: nothing of others' is flushed. */
  readonly noflush?: boolean;
  /** How long to wait for the xtables lock, which the legacy tools share over all namespaces. Default 10 s. */
  readonly waitMs?: Millis;
  /** The tool's environment; default: ours. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Only check the input. */
  readonly test?: boolean;
  /** Told the process id of the tool when it starts. */
  readonly onStart?: ((pid: number) => void) | undefined;
}

/** `iptables-nft-save`; `ip6tables-restore` where the machine's default backend will do. */
export function iptablesProgram(
  version: IpVersion,
  what: '' | '-save' | '-restore',
  backend: IptablesBackend | undefined,
): string {
  return `${version === 4 ? 'iptables' : 'ip6tables'}${backend === undefined ? '' : `-${backend}`}${what}`;
}

/** The output of iptables-save: of one table, or of all that are there. Naming a table creates it under legacy. */
export async function saveText(
  version: IpVersion,
  table?: string,
  options: IptablesOptions = {},
): Promise<string> {
  const args = table === undefined ? [] : ['-t', table];
  const { stdout } = await run(iptablesProgram(version, '-save', options.backend), args, {
    netns: options.netns,
  });
  return stdout;
}

/** As {@link saveText}, parsed. One named table gives a list of one, or an empty one where nft has no such table. */
export async function save(
  version: IpVersion,
  table?: string,
  options?: IptablesOptions,
): Promise<SavedTable[]> {
  return parseSave(await saveText(version, table, options));
}

/** What the rules of one table have counted. */
export async function counters(
  version: IpVersion,
  table: string,
  options: IptablesOptions = {},
): Promise<SavedCounter[]> {
  const { stdout } = await run(iptablesProgram(version, '-save', options.backend), ['-c', '-t', table], {
    netns: options.netns,
  });
  return parseCounters(stdout);
}

const ATTEMPTS = 3;

/** Another writer changed the table between reading and committing: the same input may work now. */
function lostRace(error: unknown): boolean {
  const RESOURCE_PROBLEM = 4;
  if (!(error instanceof CommandError) || error.exitCode !== RESOURCE_PROBLEM) return false;
  // The same status tells that the lock was not to be had, for which the tool has waited long enough.
  return !error.stderr.includes('xtables lock');
}

/**
 * Applies restore input, text or typed, one transaction per table in it.
 *
 * @throws CommandError with the tool's words, which name the line; the table in which that line lies is unchanged
 */
export async function restore(
  version: IpVersion,
  input: string | readonly RestoreTable[],
  options: RestoreOptions = {},
): Promise<void> {
  const text = typeof input === 'string' ? input : buildRestore(input);
  for (let attempt = 1; ; attempt++) {
    try {
      await runRestore(version, text, options);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !lostRace(error)) throw error;
    }
  }
}

/**
 * As {@link restore}, for input that comes into being while the tool reads what there is of it, and once: what has been
 * read is gone. Under legacy the tool holds the xtables lock from the first part of a transaction to its commit.
 *
 * @throws CommandError as {@link restore} does, and what `parts` throws: transactions that were not committed are void
 */
export async function restoreParts(
  version: IpVersion,
  parts: AsyncIterable<RestorePart>,
  options: RestoreOptions = {},
): Promise<void> {
  await runRestore(version, buildParts(parts), options);
}

async function runRestore(
  version: IpVersion,
  stdin: string | AsyncIterable<string>,
  { noflush = true, test = false, waitMs = 10_000, backend, netns, env, onStart }: RestoreOptions,
): Promise<void> {
  const args = ['-w', String(Math.ceil(waitMs / 1000))];
  if (noflush) args.push('--noflush');
  if (test) args.push('--test');
  await run(iptablesProgram(version, '-restore', backend), args, {
    stdin,
    netns,
    env,
    deadlineMs: waitMs + 60_000,
    onStart,
  });
}

/**
 * Which backend to write to, so that our rules and those of the machine's other tools are in one place.
 *
 * The one that holds rules wins, as in Kubernetes' iptables-wrappers: rules in legacy alone mean legacy;
 * otherwise the default of the `iptables` program decides.
 */
export async function detectBackend(
  options: { readonly netns?: string | undefined } = {},
): Promise<IptablesBackend> {
  const [nft, legacy, standard] = await Promise.all([
    countRules('nft', options.netns),
    countRules('legacy', options.netns),
    defaultBackend(),
  ]);
  if (nft === undefined && legacy === undefined) return standard;
  if (nft === undefined) return 'legacy';
  if (legacy === undefined) return 'nft';
  if (legacy > 0 && nft === 0) return 'legacy';
  if (nft > 0 && legacy === 0) return 'nft';
  return standard;
}

/** The backend of the plain `iptables` program. */
export async function defaultBackend(): Promise<IptablesBackend> {
  const { stdout } = await run('iptables', ['--version']);
  return stdout.includes('nf_tables') ? 'nft' : 'legacy';
}

/** Rules of both IP versions, or undefined where the tools are missing. No table is named: that would create it. */
async function countRules(backend: IptablesBackend, netns: string | undefined): Promise<number | undefined> {
  try {
    const [v4, v6] = await Promise.all(
      [4, 6].map((version) => save(version === 4 ? 4 : 6, undefined, { netns, backend })),
    );
    return [...(v4 ?? []), ...(v6 ?? [])]
      .flatMap(({ chains }) => chains)
      .reduce((sum, { rules }) => sum + rules.length, 0);
  } catch (error) {
    if (error instanceof CommandError && error.notFound) return undefined;
    throw error;
  }
}
