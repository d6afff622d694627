/** What the tests want of a router, whichever it is. Each of the five has a file here that says how it is asked. */
import type { PathAttributes } from '../../../bgpd/wire/index.ts';
import type { Lab } from '../peers/lab.ts';
import type { Shown } from './shown.ts';

export interface NeighbourSetup {
  readonly address: string;
  readonly asn: number;
  /** The router speaks as one that has never heard of 4-octet AS numbers. */
  readonly old?: boolean;
}

/** A route in the words of the one who originates it, before any AS has been put in front. */
export interface Announced {
  readonly prefix: string;
  readonly attributes: PathAttributes;
}

export interface RouterSetup {
  readonly asn: number;
  readonly routerId: string;
  readonly v4: string;
  readonly v6: string;
  readonly holdSeconds: number;
  readonly neighbours: readonly NeighbourSetup[];
  /** What the router is told by another and shall pass on: for one that passes nothing on, to announce itself. */
  readonly feed: {
    readonly asn: number;
    readonly v4: string;
    readonly v6: string;
    readonly routes: readonly Announced[];
  };
}

export interface Router {
  start(setup: RouterSetup): Promise<void>;
  established(neighbour: string): Promise<boolean>;
  /** Everything its neighbours have told it, as its own command prints it. */
  routes(): Promise<readonly Shown[]>;
  /** What it says about the last NOTIFICATION from this neighbour. */
  lastWords(neighbour: string): Promise<string>;
  /** Ends the session in the operator's words, and takes it up again. */
  shut(neighbour: string, words: string): Promise<void>;
  open(neighbour: string): Promise<void>;
  /** Has it ask the neighbour for its routes again (RFC 2918). */
  refresh(neighbour: string): Promise<void>;
  freeze(): void;
  thaw(): void;
  kill(): Promise<void>;
}

export type RouterKind = new (lab: Lab, node: string) => Router;

export const ipv6 = (text: string): boolean => text.includes(':');

export const external = (setup: RouterSetup, neighbour: NeighbourSetup): boolean =>
  neighbour.asn !== setup.asn;
