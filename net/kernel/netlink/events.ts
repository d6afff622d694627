/**
 * What changes in the kernel, as it happens.
 *
 * The kernel drops events when nobody reads them fast enough, and says so (ENOBUFS): the listener then gets
 * `resync` and has to list again. It also reports nothing about the IPv4 routes that vanish because their interface
 * went down or away: who cares for routes listens to links too. IPv6 routes that go that way are reported next hop by
 * next hop.
 */
import type { Cancel } from '../../../clock/clock.ts';
import { isKernelError } from '../errors.ts';
import { decodeAddress, type LinkAddress, RTM_DELADDR, RTM_NEWADDR } from './address.ts';
import { decodeForwarding, type ForwardingEntry } from './fdb.ts';
import { decodeLink, type Link, RTM_DELLINK, RTM_NEWLINK } from './link.ts';
import { listen } from './listen.ts';
import { type Message, NLM_F_REPLACE } from './message.ts';
import { decodeNeighbour, type Neighbour, RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour.ts';
import type { Route } from './route.ts';
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from './route-codec.ts';
import { decodeRule, RTM_DELRULE, RTM_NEWRULE, type Rule } from './rule.ts';
import { breathe, openNetlinkSocket, takeDatagram } from './socket.ts';

/** `new`: came or changed. Routes name their interfaces by index. */
export type KernelEvent =
  | { readonly type: 'link'; readonly change: 'new' | 'deleted'; readonly link: Link }
  | {
      readonly type: 'route';
      readonly change: 'new' | 'deleted';
      readonly route: Route;
      /** It took the place of another of the same prefix and metric; absent: it stands beside whatever is there. */
      readonly replaces?: true;
    }
  | { readonly type: 'address'; readonly change: 'new' | 'deleted'; readonly address: LinkAddress }
  | { readonly type: 'neighbour'; readonly change: 'new' | 'deleted'; readonly neighbour: Neighbour }
  /** Of a VXLAN device; in the group of neighbours. */
  | { readonly type: 'forwarding'; readonly change: 'new' | 'deleted'; readonly entry: ForwardingEntry }
  | { readonly type: 'rule'; readonly change: 'new' | 'deleted'; readonly rule: Rule }
  /** Events were lost: list again. */
  | { readonly type: 'resync' };

export type EventGroup = Exclude<KernelEvent['type'], 'resync' | 'forwarding'>;

/** RTNLGRP_*, from linux/rtnetlink.h. */
const GROUPS: Readonly<Record<EventGroup, readonly number[]>> = {
  link: [1],
  neighbour: [3],
  address: [5, 9],
  route: [7, 11],
  rule: [8, 19],
};

/** A burst of 50,000 routes is some 20 MB of buffers at the kernel's count. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;

export interface Subscription {
  readonly cancel: Cancel;
  /**
   * Tells what has happened until now: the kernel has put it into the socket before it answered whoever did it. So what we have
   * written ourselves is told when this resolves.
   */
  catchUp(): Promise<void>;
}

/**
 * Listens until cancelled. Alone, it does not keep the process running.
 *
 * @param listener  called on the event loop, in the kernel's order; what it throws is an uncaught exception
 */
export function subscribe(
  netns: string | undefined,
  groups: readonly EventGroup[],
  listener: (event: KernelEvent) => void,
  receiveBuffer: number = RECEIVE_BUFFER,
): Subscription {
  const fd = openNetlinkSocket(netns, receiveBuffer);
  const state = { cancelled: false };
  const take = (): boolean => {
    const { events, more } = takeEvents(fd);
    for (const event of events) if (!state.cancelled) listener(event);
    return more;
  };
  const stop = listen(
    fd,
    groups.flatMap((name) => GROUPS[name]),
    take,
  );
  return {
    cancel: () => {
      state.cancelled = true;
      stop();
    },
    catchUp: async () => {
      const turn = { since: performance.now() };
      while (!state.cancelled && take()) await breathe(turn);
    },
  };
}

function takeEvents(fd: number): { events: KernelEvent[]; more: boolean } {
  const events: KernelEvent[] = [];
  try {
    const more = takeDatagram(fd, (bytes, message) => {
      const event = decodeEvent(bytes, message);
      if (event !== undefined) events.push(event);
    });
    return { events, more };
  } catch (error) {
    if (!isKernelError(error, 'ENOBUFS')) throw error;
    return { events: [{ type: 'resync' }], more: true };
  }
}

const nameless = () => undefined;

function decodeEvent(bytes: Buffer, { type, flags, start, end }: Message): KernelEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      // AF_BRIDGE messages tell of ports, not of links.
      if (bytes.readUInt8(start) !== 0) return undefined;
      return {
        type: 'link',
        change: type === RTM_NEWLINK ? 'new' : 'deleted',
        link: decodeLink(bytes, start, end),
      };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(bytes, start, end, nameless);
      if (route === undefined) return undefined;
      const change = type === RTM_NEWROUTE ? 'new' : 'deleted';
      const replaces = type === RTM_NEWROUTE && (flags & NLM_F_REPLACE) !== 0;
      return { type: 'route', change, route, ...(replaces ? { replaces } : {}) };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(bytes, start, end);
      return address && { type: 'address', change: type === RTM_NEWADDR ? 'new' : 'deleted', address };
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const change = type === RTM_NEWNEIGH ? 'new' : 'deleted';
      const entry = decodeForwarding(bytes, start, end);
      if (entry !== undefined) return { type: 'forwarding', change, entry };
      const neighbour = decodeNeighbour(bytes, start, end);
      return neighbour && { type: 'neighbour', change, neighbour };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = decodeRule(bytes, start, end);
      return rule && { type: 'rule', change: type === RTM_NEWRULE ? 'new' : 'deleted', rule };
    }
    default:
      return undefined;
  }
}
