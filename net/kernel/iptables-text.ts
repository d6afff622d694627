/**
 * The text that iptables-save writes and iptables-restore reads, as typed values. Pure.
 *
 * Rules stay text, as the tools print them: what a rule means is felix-lite's business, and the kernel's own
 * spelling of a rule is the only one worth comparing.
 */

/** One table as the kernel holds it. */
export interface SavedTable {
  readonly table: string;
  readonly chains: readonly SavedChain[];
}

export interface SavedChain {
  readonly name: string;
  /** ACCEPT or DROP on built-in chains, absent on user-defined ones. */
  readonly policy?: string;
  /** In order, each without its leading `-A <chain> `: `-i cali+ -j cali-from-wl-dispatch`. */
  readonly rules: readonly string[];
}

/**
 * Reads the output of iptables-save or ip6tables-save, with or without counters (`-c`), which are dropped.
 *
 * @throws RangeError with the line number on text that neither tool writes
 */
export function parseSave(text: string): SavedTable[] {
  const tables: { table: string; chains: Map<string, { name: string; policy?: string; rules: string[] }> }[] =
    [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const current = tables.at(-1);
    const bad = (what: string) => new RangeError(`iptables-save, line ${index + 1}: ${what}: ${line}`);
    if (line === '' || line.startsWith('#') || line === 'COMMIT') continue;
    if (line.startsWith('*')) {
      tables.push({ table: line.slice(1), chains: new Map() });
      continue;
    }
    if (current === undefined) throw bad('no table named yet');
    const chain = CHAIN.exec(line);
    if (chain !== null) {
      const [, name = '', policy = '-'] = chain;
      current.chains.set(name, { name, rules: [], ...(policy === '-' ? {} : { policy }) });
      continue;
    }
    const rule = RULE.exec(line);
    if (rule === null) throw bad('neither chain nor rule');
    const [, name = '', body = ''] = rule;
    const owner = current.chains.get(name);
    if (owner === undefined) throw bad(`chain ${name} was not declared`);
    owner.rules.push(body);
  }
  return tables.map(({ table, chains }) => ({ table, chains: [...chains.values()] }));
}

/** What one rule has counted. */
export interface SavedCounter {
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** Reads the counters of rules out of what `iptables-save -c` writes; other lines are passed over. */
export function parseCounters(text: string): SavedCounter[] {
  const counters: SavedCounter[] = [];
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    const [, packets, bytes, chain, rule] = COUNTED_RULE.exec(line) ?? [];
    if (packets === undefined || bytes === undefined || chain === undefined) continue;
    counters.push({ table, chain, rule: rule ?? '', packets: BigInt(packets), bytes: BigInt(bytes) });
  }
  return counters;
}

const COUNTED_RULE = /^\[(\d+):(\d+)\] -A (\S+)(?: (.*))?$/;

const CHAIN = /^:(\S+) (\S+)(?: \[\d+:\d+\])?$/;
const RULE = /^(?:\[\d+:\d+\] )?-A (\S+)(?: (.*))?$/;

/** One line of work inside a table, in the order given. */
export type RestoreStep =
  /** Creates the chain, or empties it where it exists: what `:chain - [0:0]` does under --noflush. */
  | { readonly op: 'make'; readonly chain: string }
  /** Sets the policy of a built-in chain, and empties it unless --noflush is given. */
  | { readonly op: 'policy'; readonly chain: string; readonly policy: 'ACCEPT' | 'DROP' }
  | { readonly op: 'append'; readonly chain: string; readonly rule: string }
  /** `position` counts from 1, which is the default. */
  | { readonly op: 'insert'; readonly chain: string; readonly rule: string; readonly position?: number }
  | { readonly op: 'replace'; readonly chain: string; readonly rule: string; readonly position: number }
  | { readonly op: 'delete'; readonly chain: string; readonly rule: string }
  | { readonly op: 'delete-at'; readonly chain: string; readonly position: number }
  | { readonly op: 'flush'; readonly chain: string }
  /** Removes a chain that is empty and that nothing jumps to. */
  | { readonly op: 'remove'; readonly chain: string };

export interface RestoreTable {
  readonly table: string;
  readonly steps: readonly RestoreStep[];
}

/**
 * Writes the input of iptables-restore. Each table is one transaction: all of its steps happen, or none.
 *
 * @throws RangeError on names and rules that would break out of their line
 */
export function buildRestore(tables: readonly RestoreTable[]): string {
  return tables.map(({ table, steps }) => tableText(table, steps)).join('');
}

/** Some of the steps of one table, in order. */
export interface RestorePart extends RestoreTable {
  /** A transaction ends here; without it the next part goes on with it. */
  readonly commit: boolean;
}

/**
 * As {@link buildRestore}, for steps that are not all known yet. Input that ends without a commit is an error to the tools,
 * and none of what it holds happens.
 *
 * @throws RangeError on names and rules that would break out of their line, and on a transaction over two tables
 */
export async function* buildParts(parts: AsyncIterable<RestorePart>): AsyncGenerator<string> {
  let open: string | undefined;
  for await (const { table, steps, commit } of parts) {
    if (open !== undefined && open !== table)
      throw new RangeError(`the transaction of table ${open} is not over, and here is ${table}`);
    const begin = open === undefined ? `*${word(table, 'table')}\n` : '';
    open = commit ? undefined : table;
    yield `${begin}${stepLines(steps)}${commit ? 'COMMIT\n' : ''}`;
  }
}

function tableText(table: string, steps: readonly RestoreStep[]): string {
  return `*${word(table, 'table')}\n${stepLines(steps)}COMMIT\n`;
}

/** Names of chains are looked at once for all steps in a row: a first load has ten thousand. */
function stepLines(steps: readonly RestoreStep[]): string {
  let text = '';
  let chain = '';
  for (const step of steps) {
    if (step.chain !== chain) chain = chainName(step.chain);
    text += `${stepText(step, chain)}\n`;
  }
  return text;
}

function stepText(step: RestoreStep, chain: string): string {
  switch (step.op) {
    case 'make':
      return `:${chain} - [0:0]`;
    case 'policy':
      return `:${chain} ${step.policy} [0:0]`;
    case 'append':
      return `-A ${chain} ${ruleText(step.rule)}`.trimEnd();
    case 'insert':
      return `-I ${chain} ${position(step.position ?? 1)} ${ruleText(step.rule)}`.trimEnd();
    case 'replace':
      return `-R ${chain} ${position(step.position)} ${ruleText(step.rule)}`.trimEnd();
    case 'delete':
      return `-D ${chain} ${ruleText(step.rule)}`.trimEnd();
    case 'delete-at':
      return `-D ${chain} ${position(step.position)}`;
    case 'flush':
      return `-F ${chain}`;
    case 'remove':
      return `-X ${chain}`;
  }
}

/** XT_EXTENSION_MAXNAMELEN is 29 with the final NUL; the nft variant would take more, but names must suit both. */
const MAX_CHAIN_NAME = 28;

function chainName(name: string): string {
  if (name.length > MAX_CHAIN_NAME || /^[-!]/.test(name))
    throw new RangeError(
      `not the name of a chain (1 to ${MAX_CHAIN_NAME} characters, not led by - or !): ${JSON.stringify(name)}`,
    );
  return word(name, 'chain');
}

function word(text: string, what: string): string {
  if (!/^[!-~]+$/.test(text)) throw new RangeError(`not the name of a ${what}: ${JSON.stringify(text)}`);
  return text;
}

function ruleText(rule: string): string {
  if (/[\n\r\0]/.test(rule)) throw new RangeError(`a rule must stay on its line: ${JSON.stringify(rule)}`);
  return rule;
}

function position(value: number): number {
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`positions count from 1, got ${value}`);
  return value;
}

/** Characters that iptables-save leaves unquoted (xtables_save_string). */
const PLAIN = /^[A-Za-z0-9_-]+$/;

/** One argument of a rule, quoted exactly as iptables-save would print it. */
export function quoteArgument(text: string): string {
  if (PLAIN.test(text)) return text;
  return `"${text.replace(/["'\\]/g, (c) => `\\${c}`)}"`;
}

/** A rule's arguments without their quoting; the inverse of joining {@link quoteArgument}s by spaces. */
export function splitRule(rule: string): string[] {
  const words: string[] = [];
  let current: string | undefined;
  let quoted = false;
  for (let i = 0; i < rule.length; i++) {
    const c = rule.charAt(i);
    if (c === '\\' && quoted && i + 1 < rule.length) current = (current ?? '') + rule.charAt(++i);
    else if (c === '"') {
      quoted = !quoted;
      current ??= '';
    } else if ((c === ' ' || c === '\t') && !quoted) {
      if (current !== undefined) words.push(current);
      current = undefined;
    } else current = (current ?? '') + c;
  }
  if (current !== undefined) words.push(current);
  return words;
}
