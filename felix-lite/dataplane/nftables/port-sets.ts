/**
 * Several ports in one rule: a set named after what it holds, which all rules that ask for the same ports share and which
 * stands before the first of them. A set of a rule's own, as the nft tool makes one, comes with the rule, and packets were
 * seen that met the one without the other. Pure.
 */
import { createHash } from 'node:crypto';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { NftElement } from '../../../net/kernel/index.ts';
import type { PortRange } from '../../calc/model.ts';
import { setName } from '../../rules/names.ts';
import { setOf } from './names.ts';

export interface PortSet {
  readonly name: string;
  readonly elements: readonly NftElement[];
}

const HASH_LENGTH = 16;
const LAST_PORT = 0xffff;

export function portSet(ranges: readonly PortRange[], version: IpVersion): PortSet {
  const joined = joinRanges(ranges);
  const text = joined.map(({ first, last }) => `${first}-${last}`).join();
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, HASH_LENGTH);
  const elements = joined.map(({ first, last }): NftElement => {
    const key = hex16(first);
    return last === LAST_PORT ? { key } : { key, end: hex16(last + 1) };
  });
  return { name: setOf(setName(version, `p:${hash}`)), elements };
}

/** In order, those that touch or overlap joined: the one way to write it. */
function joinRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const joined: { first: number; last: number }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const open = joined.at(-1);
    if (open !== undefined && first <= open.last + 1) open.last = Math.max(open.last, last);
    else joined.push({ first, last });
  }
  return joined;
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}
