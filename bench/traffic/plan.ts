/** What the traffic program is told to do, and what it answers: the messages between it and the bench, as values. */

export type IpVersion = 4 | 6;

/** A run of prefixes, by number; what a number stands for is in `routes.ts`. */
export interface RouteRange {
  readonly first: number;
  readonly count: number;
  /** Prefixes that share an attribute set, and so an UPDATE. */
  readonly perSet: number;
}

/** One BGP session that the traffic program opens to the target. */
export interface Station {
  /** Our end of the connection. */
  readonly address: string;
  readonly routerId: number;
  readonly asn: number;
  /** What it announces when told to. */
  readonly sends?: RouteRange;
  /** The prefixes whose arrival it is to wait for, by number. */
  readonly expects?: { readonly first: number; readonly count: number };
  /** How many of these come from others; default: all. */
  readonly complete?: number;
}

/**
 * - `flood`: all senders send at once; over when every receiver has everything.
 * - `flap`: first a flood; then the last sender announces and withdraws one prefix, over and over, one at a time.
 * - `churn`: first a flood; then all senders send their whole table again and again with other attributes; over when
 *   every receiver has the last.
 * - `death`: first a flood; then the first sender's connection is reset; over when every receiver has heard that its
 *   routes are gone.
 */
export type Act =
  | { readonly kind: 'flood' }
  | { readonly kind: 'flap'; readonly times: number; readonly prefix: number }
  | { readonly kind: 'churn'; readonly rounds: number }
  | { readonly kind: 'death' };

export interface Plan {
  readonly version: IpVersion;
  readonly target: { readonly address: string; readonly port: number; readonly asn: number };
  readonly stations: readonly Station[];
  readonly act: Act;
}

export interface TrafficResult {
  /** From the first octet written to the last prefix received. */
  readonly seconds: number;
  /** Flaps only: from the octets written to the octets read, one for each. */
  readonly latenciesMs?: readonly number[];
  /** What the traffic program itself used in that time. */
  readonly cpuSeconds: number;
  readonly octetsOut: number;
  readonly octetsIn: number;
  /** NLRI entries read, those that say a thing again included. */
  readonly entriesIn: number;
}

export type ToTraffic =
  | { readonly type: 'plan'; readonly plan: Plan }
  | { readonly type: 'go' }
  /** It is over: say how far it came. */
  | { readonly type: 'stop'; readonly reason: string };

export type FromTraffic =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly result: TrafficResult }
  | { readonly type: 'failed'; readonly reason: string; readonly progress: string };
