/**
 * Poplin's side: a whole speaker with the kernel's table behind it, whose one peer is this process. UPDATEs, encoded before the
 * clock starts, go in as octets; framing, decoding, Adj-RIB-In, decision, next hops and the kernel are all in the time.
 */
import { KernelTable } from '../../bgpd/daemon/kernel-table.ts';
import { Fib } from '../../bgpd/fib/fib.ts';
import type { ForwardingTable } from '../../bgpd/speaker/ports.ts';
import { encodeUpdates } from '../../bgpd/wire/index.ts';
import { SystemClock } from '../../clock/system.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { Netlink } from '../../net/kernel/index.ts';
import { CHUNK, type OneSender, SENDER, settled, speakerWithOneSender } from '../one-sender.ts';

const FAMILY = 'ipv4-unicast' as const;

export class SpeakerAndKernel {
  readonly #fib: Fib;
  readonly #bgp: OneSender;
  /** Routes that the speaker has told the kernel's side of. */
  #told = 0;

  static async open(netlink: Netlink): Promise<SpeakerAndKernel> {
    return new SpeakerAndKernel(await Fib.open(new KernelTable(netlink), new SystemClock()));
  }

  private constructor(fib: Fib) {
    this.#fib = fib;
    this.#bgp = speakerWithOneSender(FAMILY, ['192.0.2.1', '192.0.2.2'], this.#counted(fib));
  }

  /** Until the kernel has answered for as many routes. */
  async hear(octets: Uint8Array, many: number): Promise<void> {
    const until = this.#told + many;
    for (let at = 0; at < octets.length; at += CHUNK) {
      this.#bgp.peer.received(octets.subarray(at, at + CHUNK));
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
    this.#bgp.speaker.stop('restart');
    await this.#fib.close();
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** UPDATEs of a peer that announces all of them alike, or withdraws them. */
export function updates(all: readonly Prefix[], over: Address | undefined): Uint8Array {
  const nlri = all.map((prefix) => ({ prefix }));
  const attributes = { origin: 'IGP', asPath: [{ type: 'sequence', asns: [SENDER.asn] }] } as const;
  const gone = over === undefined ? [{ family: FAMILY, nlri }] : [];
  const reach = over === undefined ? [] : [{ family: FAMILY, nextHop: { address: over }, nlri }];
  return Buffer.concat(
    encodeUpdates({ type: 'update', unreach: gone, reach, attributes } as const, settled(FAMILY)),
  );
}
