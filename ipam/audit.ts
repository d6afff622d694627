/** What IPAM's own objects contradict in each other or in themselves. Pure; values are taken as any tool may have left them. */
import type { Problem } from '../api/index.ts';
import { type Entry, keyText } from '../datastore/index.ts';
import { Prefix } from '../net/addr/index.ts';
import { affinityOf, type IPAMBlock } from './block.ts';
import type { AffinityEntry, BlockEntry, HandleEntry } from './records.ts';
import { type BlockView, type HandleView, viewBlocks, viewHandles } from './view.ts';

export interface Audit {
  readonly problems: readonly Problem[];
  /** Of the objects that have the form of their kind. */
  readonly blocks: readonly BlockView[];
  readonly handles: readonly HandleView[];
}

/** @param entries  of any kinds; those that are not IPAM's are passed over */
export function auditIpam(entries: readonly Entry[]): Audit {
  const blocks = entries.filter(({ key }) => key.kind === 'IPAMBlock');
  const affinities = entries.filter(isAffinity);
  const handles = entries.filter(({ key }) => key.kind === 'IPAMHandle');
  const { blocks: sound } = soundEntries(blocks, [], []);
  return {
    problems: [
      ...auditBlocks(blocks),
      ...auditAffinities(affinities, sound),
      ...handles.filter((entry) => !isHandle(entry)).map(({ key }) => unreadable(keyText(key))),
    ],
    blocks: viewBlocks(sound, affinities),
    handles: viewHandles(handles.filter(isHandle)),
  };
}

/** Blocks alone: each in itself, and across each other. */
export function auditBlocks(blocks: readonly Entry[]): Problem[] {
  return [
    ...blocks.flatMap((entry) => auditBlock(entry)),
    ...auditOverlaps(soundEntries(blocks, [], []).blocks),
  ];
}

/** Those that have the form of their kind. */
export function soundEntries(
  blocks: readonly Entry[],
  affinities: readonly Entry[],
  handles: readonly Entry[],
): { readonly blocks: BlockEntry[]; readonly affinities: AffinityEntry[]; readonly handles: HandleEntry[] } {
  return {
    blocks: blocks.filter((entry): entry is BlockEntry => auditShape(entry).length === 0),
    affinities: affinities.filter(isAffinity),
    handles: handles.filter(isHandle),
  };
}

function isAffinity(entry: Entry): entry is AffinityEntry {
  return entry.key.kind === 'BlockAffinity' && typeof entry.value === 'object' && entry.value !== null;
}

function isHandle(entry: Entry): entry is HandleEntry {
  const { block } = (entry.value ?? {}) as { readonly block?: unknown };
  return typeof block === 'object' && block !== null;
}

function auditBlock(entry: Entry): Problem[] {
  const shape = auditShape(entry);
  if (shape.length > 0) return shape;
  const { key, value } = entry as BlockEntry;
  const resource = keyText(key);
  const free = new Set(value.unallocated);
  const said: string[] = [];
  if (free.size !== value.unallocated.length) said.push('lists an address as free twice');
  for (const [ordinal, index] of value.allocations.entries()) {
    if (index === null && !free.has(ordinal)) said.push(`address ${ordinal} is neither given nor free`);
    if (index !== null && free.has(ordinal)) said.push(`address ${ordinal} is given and free`);
    if (index !== null && value.attributes[index] === undefined)
      said.push(`address ${ordinal} names owner ${index}, of whom nothing is written`);
  }
  return said.map((what) => contradiction(resource, what));
}

/** Enough to look at the rest without stumbling. */
function auditShape({ key, value }: Entry): Problem[] {
  const block = (typeof value === 'object' && value !== null ? value : {}) as Partial<IPAMBlock>;
  const cidr = typeof block.cidr === 'string' ? Prefix.parse(block.cidr) : undefined;
  const resource = keyText(key);
  if (cidr === undefined || block.cidr !== key.name)
    return [contradiction(resource, 'does not say the CIDR that it is stored under')];
  const { allocations, unallocated, attributes } = block;
  if (!Array.isArray(allocations) || !Array.isArray(unallocated) || !Array.isArray(attributes))
    return [contradiction(resource, 'has no lists of allocations, free addresses and owners')];
  if (BigInt(allocations.length) !== cidr.size)
    return [contradiction(resource, `has ${allocations.length} places for ${cidr.size} addresses`)];
  return [];
}

function auditOverlaps(blocks: readonly BlockEntry[]): Problem[] {
  const sorted = blocks
    .map((entry) => ({ entry, cidr: Prefix.parse(entry.value.cidr)! }))
    .toSorted((a, b) => a.cidr.compare(b.cidr));
  // In order of address a block that contains another comes somewhere before it: the last one that reaches furthest.
  const problems: Problem[] = [];
  let outer = sorted[0];
  for (const inner of sorted.slice(1)) {
    if (outer?.cidr.overlaps(inner.cidr) === true)
      problems.push(contradiction(keyText(inner.entry.key), `overlaps ${keyText(outer.entry.key)}`));
    else outer = inner;
  }
  return problems;
}

/** A pending affinity without block, and a block without affinity, are what a claim or a release cut short leaves. */
function auditAffinities(affinities: readonly AffinityEntry[], blocks: readonly BlockEntry[]): Problem[] {
  const owners = new Map(blocks.map(({ value }) => [value.cidr, affinityOf(value)]));
  const known = new Set(affinities.map(({ key }) => `${key.scope} ${key.name}`));
  const problems = affinities.flatMap(({ key, value }): Problem[] => {
    const { state = 'confirmed' } = value;
    if (owners.get(key.name) === key.scope) return [];
    const holder = owners.has(key.name) ? `belongs to ${owners.get(key.name) ?? 'nobody'}` : 'does not exist';
    // Only a confirmed one does harm: the node advertises addresses that are not its own.
    return state === 'confirmed'
      ? [contradiction(keyText(key), `is confirmed, but block ${key.name} ${holder}`)]
      : [];
  });
  for (const { key, value } of blocks) {
    const owner = affinityOf(value);
    if (owner !== undefined && !known.has(`${owner} ${value.cidr}`))
      problems.push(contradiction(keyText(key), `belongs to ${owner}, which has no affinity to it`));
  }
  return problems;
}

function unreadable(resource: string): Problem {
  return contradiction(resource, 'does not say how many addresses it holds in which block');
}

function contradiction(resource: string, what: string): Problem {
  return {
    code: 'IPAM_INCONSISTENT',
    resource,
    what,
    remedy:
      'lock the datastore, look at it with: poplin ipam show --show-blocks, and report how it came about',
  };
}
