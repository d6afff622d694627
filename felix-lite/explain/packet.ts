/** The first packet of a connection, as policy sees it. */
import type { Address } from '../../net/addr/index.ts';

export interface Packet {
  readonly source: Address;
  /** Of the same family as the source. */
  readonly destination: Address;
  /** IANA number. */
  readonly protocol: number;
  /** Of TCP, UDP, SCTP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** Of ICMP and ICMPv6. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
}
