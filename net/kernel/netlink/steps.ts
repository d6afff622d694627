/**
 * Several kinds of change in one send: what a veth needs from its birth to its routes is four messages' work for the kernel,
 * and a way there and back for each would take longer than the work itself. Bytes only; netlink.ts sends.
 */
import type { Address } from '../../addr/index.ts';
import { type AddressOptions, encodeAddress } from './address.ts';
import { encodeLinkChange, encodeLinkGet, encodeVeth, type LinkChange, type VethEnd } from './link.ts';
import type { MessageWriter } from './message.ts';
import { encodeNeighbour } from './neighbour.ts';
import { formatRoute, type Route } from './route.ts';
import { encodeRoute } from './route-codec.ts';

/** Interfaces are named by index where the kernel knows no name in that place. */
export type Step =
  | {
      readonly type: 'veth';
      readonly end: VethEnd;
      /** Open file of the namespace in which the peer is born. */
      readonly peer: VethEnd & { readonly netnsFd?: number | undefined };
    }
  | { readonly type: 'link'; readonly link: string | number; readonly change: LinkChange }
  /** Answered with the interface as it is at that point. */
  | { readonly type: 'look'; readonly link: string | number }
  | {
      readonly type: 'address';
      readonly link: number;
      readonly address: Address;
      readonly prefixLength: number;
      readonly options?: AddressOptions;
    }
  | { readonly type: 'neighbour'; readonly link: number; readonly address: Address; readonly mac: string }
  /** Next hops name their interfaces by index. */
  | { readonly type: 'route'; readonly route: Route };

export function encodeStep(w: MessageWriter, step: Step): void {
  switch (step.type) {
    case 'veth':
      return encodeVeth(w, step.end, step.peer, undefined, step.peer.netnsFd);
    case 'link':
      return encodeLinkChange(w, step.link, step.change);
    case 'look':
      return encodeLinkGet(w, step.link);
    case 'address':
      return encodeAddress(w, 'add', step.link, step.address, step.prefixLength, step.options);
    case 'neighbour':
      return encodeNeighbour(w, 'replace', step.link, step.address, step.mac);
    case 'route':
      return encodeRoute(w, 'replace', step.route, byIndex);
  }
}

/** For the message of an error. */
export function describeStep(step: Step): string {
  switch (step.type) {
    case 'veth':
      return `RTM_NEWLINK ${step.end.name}`;
    case 'link':
      return `RTM_SETLINK ${step.link}`;
    case 'look':
      return `RTM_GETLINK ${step.link}`;
    case 'address':
      return `RTM_NEWADDR ${step.address.toString()}/${step.prefixLength} dev ${step.link}`;
    case 'neighbour':
      return `RTM_NEWNEIGH ${step.address.toString()} dev ${step.link}`;
    case 'route':
      return `route replace ${formatRoute(step.route)}`;
  }
}

function byIndex(nameOrIndex: string | number): number {
  if (typeof nameOrIndex === 'number') return nameOrIndex;
  throw new TypeError(`a step names the interface ${nameOrIndex}; it must give its index`);
}
