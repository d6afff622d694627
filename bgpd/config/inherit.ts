/** What applies to a peer: its own words, then its group's, then those of the group that one is in. */
import type { PeerSettings } from './peer-schema.ts';

export type Groups = Readonly<Record<string, PeerSettings>>;

/** The groups of a peer or group, nearest first. A circle, which the checks refuse, ends where it closes. */
export function lineage(group: string | undefined, groups: Groups): readonly string[] {
  const names: string[] = [];
  for (let name = group; name !== undefined && !names.includes(name) && Object.hasOwn(groups, name); ) {
    names.push(name);
    name = groups[name]?.group;
  }
  return names;
}

/** Fields of `timers` and `gracefulRestart` are inherited one by one, all others whole. */
export function inherited<S extends PeerSettings>(own: S, groups: Groups): S {
  return lineage(own.group, groups).reduce((settings, name) => {
    const lent = groups[name] ?? {};
    return {
      ...lent,
      ...settings,
      timers: { ...lent.timers, ...settings.timers },
      gracefulRestart: { ...lent.gracefulRestart, ...settings.gracefulRestart },
    };
  }, own);
}
