/** Reads the answers of FRR's `vtysh`, which speaks JSON. */
import type { BestRoute, Session } from './speaker.ts';

interface Summary {
  readonly peers?: Readonly<Record<string, { readonly state?: string }>>;
}

/** `show bgp summary json`: one summary per family. */
export function parseFrrSessions(text: string): Session[] {
  return Object.values(JSON.parse(text) as Record<string, Summary>).flatMap(({ peers = {} }) =>
    Object.entries(peers).map(([peer, { state = 'Idle' }]) => ({
      peer,
      established: state === 'Established',
      state,
    })),
  );
}

interface Table {
  readonly routes?: Readonly<Record<string, readonly Path[]>>;
}
interface Path {
  readonly bestpath?: boolean;
  readonly nexthops?: readonly { readonly ip: string; readonly scope?: string }[];
}

/** `show bgp ipv4 unicast json` and its sibling for IPv6. */
export function parseFrrRoutes(text: string): BestRoute[] {
  return Object.entries((JSON.parse(text) as Table).routes ?? {}).flatMap(([prefix, paths]) => {
    const best = paths.find((path) => path.bestpath === true);
    if (best === undefined) return [];
    const global = (best.nexthops ?? []).filter(({ scope }) => scope !== 'link-local').map(({ ip }) => ip);
    return [{ prefix, nextHops: global }];
  });
}
