/**
 * Poplin's side: a whole speaker with the kernel's table behind it, whose one peer is this process. UPDATEs, encoded before the
 * clock starts, go in as octets; framing, decoding, Adj-RIB-In, decision, next hops and the kernel are all in the time.
 */
import { KernelTable } from '../../bgpd/daemon/kernel-table.ts';
import { Fib } from '../../bgpd/fib/fib.ts';
import { ACCEPT_ALL } from '../../bgpd/filter/policy.ts';
import { Peer } from '../../bgpd/speaker/peer.ts';
import type { ForwardingTable, RestartState, SessionFactory } from '../../bgpd/speaker/ports.ts';
import type { SessionConfig, SessionEvents } from '../../bgpd/speaker/session.ts';
import { Speaker } from '../../bgpd/speaker/speaker.ts';
import type { ConnectionHandler } from '../../bgpd/speaker/transport.ts';
import { ThisProcess } from '../this-process.ts';
import { encodeKeepalive, encodeOpen, encodeUpdates, type Negotiated } from '../../bgpd/wire/index.ts';
import { SystemClock } from '../../clock/system.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { Netlink } from '../../net/kernel/index.ts';

const FAMILY = 'ipv4-unicast' as const;
/** As large as Node's reads from a socket are. */
const CHUNK = 65536;
const OURS = { asn: 65000, routerId: 0x0a00_0001 };
const THEIRS = { asn: 65001, routerId: 0x0a00_0002 };

const SESSION: Negotiated = {
  peerAsn: THEIRS.asn,
  peerRouterId: THEIRS.routerId,
  internal: false,
  holdSeconds: 90,
  keepaliveSeconds: 30,
  families: [FAMILY],
  fourOctetAs: true,
  extendedMessages: false,
  routeRefresh: true,
  enhancedRefresh: false,
  addPathReceive: [],
  addPathSend: [],
};

export class SpeakerAndKernel {
  readonly #fib: Fib;
  readonly #speaker: Speaker;
  readonly #peer: ConnectionHandler;
  /** Routes that the speaker has told the kernel's side of. */
  #told = 0;

  static async open(netlink: Netlink): Promise<SpeakerAndKernel> {
    return new SpeakerAndKernel(await Fib.open(new KernelTable(netlink), new SystemClock()));
  }

  private constructor(fib: Fib) {
    this.#fib = fib;
    const clock = new SystemClock();
    const wire = new ThisProcess('192.0.2.1', '192.0.2.2');
    const sessions: SessionFactory = {
      create: (config: SessionConfig, events: SessionEvents, restart: RestartState) =>
        new Peer({ config, events, transport: wire, clock, random: Math.random, restart }),
      remove: () => undefined,
    };
    this.#speaker = new Speaker({ clock, sessions, forwarding: this.#counted(fib) });
    this.#speaker.configure({
      ...OURS,
      originated: [],
      addresses: [],
      peers: [
        {
          session: {
            name: 'sender',
            peerAddress: '192.0.2.2',
            peerPort: 179,
            peerAsn: THEIRS.asn,
            localAsn: OURS.asn,
            routerId: OURS.routerId,
            holdSeconds: 90,
            connectRetrySeconds: 5,
            passive: false,
            families: [FAMILY],
          },
          // No export policy: towards an external peer nothing is exported (RFC 8212).
          importPolicy: ACCEPT_ALL,
        },
      ],
    });
    this.#peer = wire.handler as ConnectionHandler;
    this.#peer.connected();
    this.#peer.received(
      encodeOpen({
        version: 4,
        ...THEIRS,
        holdSeconds: 90,
        capabilities: [
          { code: 1, afi: 1, safi: 1 },
          { code: 65, asn: THEIRS.asn },
        ],
      }),
    );
    this.#peer.received(encodeKeepalive());
  }

  /** Until the kernel has answered for as many routes. */
  async hear(octets: Uint8Array, many: number): Promise<void> {
    const until = this.#told + many;
    for (let at = 0; at < octets.length; at += CHUNK) {
      this.#peer.received(octets.subarray(at, at + CHUNK));
      await nextTurn();
    }
    while (this.#told < until) await nextTurn();
    await this.#fib.idle();
  }

  #counted(fib: Fib): ForwardingTable {
    return {
      adopted: (family) => fib.adopted(family),
      preserved: (family) => fib.preserved(family),
      isHungry: () => fib.isHungry(),
      set: (prefix, entry) => {
        this.#told++;
        fib.set(prefix, entry);
      },
      complete: (family) => fib.complete(family),
      status: (prefix) => fib.status(prefix),
    };
  }

  async close(): Promise<void> {
    this.#speaker.stop('restart');
    await this.#fib.close();
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** UPDATEs of a peer that announces all of them alike, or withdraws them. */
export function updates(all: readonly Prefix[], over: Address | undefined): Uint8Array {
  const nlri = all.map((prefix) => ({ prefix }));
  const attributes = { origin: 'IGP', asPath: [{ type: 'sequence', asns: [THEIRS.asn] }] } as const;
  const gone = over === undefined ? [{ family: FAMILY, nlri }] : [];
  const reach = over === undefined ? [] : [{ family: FAMILY, nextHop: { address: over }, nlri }];
  return Buffer.concat(encodeUpdates({ type: 'update', unreach: gone, reach, attributes } as const, SESSION));
}
