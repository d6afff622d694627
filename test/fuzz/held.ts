/** What the speaker holds from a peer, in the words of the oracle. */
import type { Neighbour } from '../../bgpd/speaker/neighbour.ts';
import type { Speaker } from '../../bgpd/speaker/speaker.ts';
import type { NextHop, PathAttributes } from '../../bgpd/wire/index.ts';
import { FAMILY_NAMES } from './arena.ts';
import { hex, pathText } from './oracle/update.ts';

const ORIGINS = { IGP: '00', EGP: '01', incomplete: '02' } as const;
const SEGMENTS = { set: 1, sequence: 2, 'confed-sequence': 3, 'confed-set': 4 } as const;

export function heldFrom(speaker: Speaker, neighbour: Neighbour): Map<string, string> {
  const held = new Map<string, string>();
  for (const family of FAMILY_NAMES) {
    for (const { id, path } of neighbour.adjRibIn[family].entries()) {
      const prefix = speaker.tables[family].index.prefix(id);
      if (prefix === undefined) throw new Error(`a path under id ${id}, which is no prefix`);
      held.set(
        `${hex(prefix.address.toBytes())}/${prefix.length}`,
        `${hopText(path.nextHop)} ${attributesText(path.received.attributes)}`,
      );
    }
  }
  return held;
}

function hopText(hop: NextHop | undefined): string {
  if (hop === undefined) return '';
  return hex(hop.address.toBytes()) + (hop.linkLocal === undefined ? '' : hex(hop.linkLocal.toBytes()));
}

function attributesText(a: PathAttributes): string {
  const path = a.asPath.map(({ type, asns }) => ({ type: SEGMENTS[type], asns }));
  const parts = [`origin ${ORIGINS[a.origin]}`, `path ${pathText(path)}`];
  const put = (code: number, value: string | undefined): void => {
    if (value !== undefined) parts.push(`${code}=${value}`);
  };
  put(4, a.med === undefined ? undefined : word(a.med));
  put(5, a.localPref === undefined ? undefined : word(a.localPref));
  put(6, a.atomicAggregate === true ? '' : undefined);
  put(8, a.communities?.map(word).join(''));
  put(9, a.originatorId === undefined ? undefined : word(a.originatorId));
  put(10, a.clusterList?.map(word).join(''));
  put(16, a.extendedCommunities?.map((value) => value.toString(16).padStart(16, '0')).join(''));
  put(32, a.largeCommunities?.map((one) => word(one.global) + word(one.local1) + word(one.local2)).join(''));
  const { aggregator } = a;
  put(7, aggregator && `${aggregator.asn}@${hex(aggregator.address.toBytes())}`);
  const unknown = [...(a.unknown ?? [])].sort((one, other) => one.code - other.code);
  for (const { code, value } of unknown) put(code, hex(value));
  return parts.join(' ');
}

function word(value: number): string {
  return value.toString(16).padStart(8, '0');
}
