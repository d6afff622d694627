/** What a BGP speaker says of itself, in one shape for BIRD, FRR and Poplin's own. */

export interface Session {
  /** The neighbour's address. */
  readonly peer: string;
  readonly established: boolean;
  /** The speaker's own word for it. */
  readonly state: string;
}

export interface BestRoute {
  /** CIDR. */
  readonly prefix: string;
  /** Global addresses. */
  readonly nextHops: readonly string[];
}
