/** Whether two namespaces hold the same policy, and what is to be told to the tools to get from one state to another. */
import { ipset, iptables, run } from '../../net/kernel/index.ts';
import type { BackendName } from './subject.ts';

const FAMILIES = [4, 6] as const;

/** What the tools print of a namespace, in an order that does not depend on how it came about. */
export async function stateOf(backend: BackendName, netns: string): Promise<string> {
  if (backend === 'nftables') {
    const { stdout } = await run('nft', ['-s', 'list', 'ruleset'], { netns });
    return canonical(stdout);
  }
  const saved = await savedState(backend, netns);
  const tables = saved.tables.flatMap((text, index) =>
    [...tablesIn(text)].map(([table, chains]) =>
      [
        `IPv${FAMILIES[index]} ${table}`,
        ...[...chains]
          .toSorted(([a], [b]) => compare(a, b))
          .flatMap(([name, rules]) => [`:${name}`, ...rules]),
      ].join('\n'),
    ),
  );
  return [...tables.toSorted(compare), ...setLines(saved.sets)].join('\n');
}

/** Without how the kernel has laid out the members. */
function setLines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/ hashsize .*$/, ''))
    .toSorted(compare);
}

/** @throws when they differ, with the first line in which they do */
export async function compareStates(backend: BackendName, one: string, other: string): Promise<void> {
  const [a, b] = await Promise.all([stateOf(backend, one), stateOf(backend, other)]);
  if (a === b) return;
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  throw new Error(
    `the states differ (${left.length} and ${right.length} lines), first at ${at}:\n${left[at] ?? ''}\n${right[at] ?? ''}`,
  );
}

/** Objects of each table by their heads, elements by themselves. */
function canonical(listing: string): string {
  const blocks: string[] = [];
  let table = '';
  let block: string[] = [];
  for (const line of listing.replaceAll(/,\s+/g, ',\n').split('\n')) {
    if (line.startsWith('table ')) table = line;
    block.push(line.trim());
    if (line !== '\t}') continue;
    const isChain = block[0]?.startsWith('chain ') ?? false;
    blocks.push([table, ...(isChain ? block : block.map(bare).toSorted(compare))].join('\n'));
    block = [];
  }
  return blocks.toSorted(compare).join('\n');
}

/** An element, first, last or neither of its list. */
function bare(line: string): string {
  return line.replace(/^elements = \{ /, '').replace(/(?:,| \})$/, '');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface SavedState {
  /** Of both families. */
  readonly tables: readonly string[];
  readonly sets: string;
}

export async function savedState(
  backend: Exclude<BackendName, 'nftables'>,
  netns: string,
): Promise<SavedState> {
  const tool = { backend: toolOf(backend), netns } as const;
  const tables = await Promise.all(FAMILIES.map((version) => iptables.saveText(version, undefined, tool)));
  return { tables, sets: (await run('ipset', ['save'], { netns })).stdout };
}

export function toolOf(backend: Exclude<BackendName, 'nftables'>): iptables.IptablesBackend {
  return backend === 'iptables-nft' ? 'nft' : 'legacy';
}

/** What a person would write to get from one state to the other: chains that differ, whole, and members of sets. */
export interface ToolInputs {
  readonly setsBefore: string;
  /** Of both families; empty where nothing differs. */
  readonly rules: readonly string[];
  readonly setsAfter: string;
}

export function inputsBetween(from: SavedState, to: SavedState): ToolInputs {
  const [had, has] = [linesOf(from.sets), linesOf(to.sets)];
  const come = [...has].filter((line) => !had.has(line));
  const gone = [...had].filter((line) => !has.has(line));
  const names = new Set(gone.filter((line) => line.startsWith('create ')).map((line) => line.split(' ')[1]));
  return {
    setsBefore: come.map((line) => `${line}\n`).join(''),
    rules: from.tables.map((text, index) => rulesBetween(text, to.tables[index] ?? '')),
    setsAfter: [
      ...gone
        .filter((line) => line.startsWith('add ') && !names.has(line.split(' ')[1]))
        .map((line) => `del ${line.slice('add '.length)}\n`),
      ...[...names].map((name) => `destroy ${name}\n`),
    ].join(''),
  };
}

/** By the tools: one for the sets before, one for the rules of each family, one for the sets that are left. */
export async function tell(
  backend: Exclude<BackendName, 'nftables'>,
  netns: string,
  { setsBefore, rules, setsAfter }: ToolInputs,
): Promise<void> {
  const tool = { backend: toolOf(backend), netns } as const;
  await ipset.restore(setsBefore, { netns });
  await Promise.all(
    FAMILIES.map(async (version, index) => {
      const text = rules[index] ?? '';
      if (text !== '') await iptables.restore(version, text, tool);
    }),
  );
  await ipset.restore(setsAfter, { netns });
}

function linesOf(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').filter((line) => line !== ''));
}

function rulesBetween(from: string, to: string): string {
  const [had, has] = [tablesIn(from), tablesIn(to)];
  let input = '';
  for (const [table, chains] of has) {
    const before = had.get(table) ?? new Map<string, readonly string[]>();
    const changed = [...chains].filter(([name, lines]) => lines.join('\n') !== before.get(name)?.join('\n'));
    const gone = [...before.keys()].filter((name) => !chains.has(name));
    if (changed.length + gone.length === 0) continue;
    const lines = [
      ...changed.map(([name]) => `:${name} - [0:0]`),
      ...gone.map((name) => `-F ${name}`),
      ...changed.flatMap(([, rules]) => rules),
      ...gone.map((name) => `-X ${name}`),
    ];
    input += `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
  }
  return input;
}

/** Rules of each chain of each table, as iptables-save prints them. */
function tablesIn(text: string): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const tables = new Map<string, Map<string, string[]>>();
  let chains = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) tables.set(line.slice(1), (chains = new Map()));
    else if (line.startsWith(':')) chains.set(line.slice(1, line.indexOf(' ')), []);
    else if (line.startsWith('-A ')) chains.get(line.split(' ')[1] ?? '')?.push(line);
  }
  return tables;
}
