/** Reads the answers of `birdc`. Its output is made for people, but it has kept its shape through all of 2.x. */
import type { BestRoute, Session } from './speaker.ts';

/** `birdc show protocols all` */
export function parseBirdSessions(text: string): Session[] {
  return text.split(/\n(?=\S)/).flatMap((protocol) => {
    const [, state] = /^\S+ +BGP +\S+ +\S+ +\S+ *(\w*)/.exec(protocol) ?? [];
    const [, peer] = /Neighbor address:\s+(\S+)/.exec(protocol) ?? [];
    if (state === undefined || peer === undefined) return [];
    return [
      {
        peer: peer.replace(/%.*/, ''),
        established: state === 'Established',
        state: state === '' ? 'Idle' : state,
      },
    ];
  });
}

/** `birdc show route primary all`: prefixes begin a line, attributes are indented. */
export function parseBirdRoutes(text: string): BestRoute[] {
  return text.split(/\n(?=\S)/).flatMap((entry) => {
    const [, prefix] = /^([0-9a-fA-F.:]+\/\d+)\s/.exec(entry) ?? [];
    const [, hops] = /BGP\.next_hop:\s*(.*)/.exec(entry) ?? [];
    if (prefix === undefined || hops === undefined) return [];
    return [
      {
        prefix,
        nextHops: hops
          .trim()
          .split(/\s+/)
          .filter((hop) => !/^fe80:/i.test(hop)),
      },
    ];
  });
}
