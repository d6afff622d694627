/**
 * What it costs to tell: a speaker whose peers are this script, without sockets. Octets go in as from a socket and come
 * out as they would go to one, so framing, FSM, import and decision are in; `baseline` is the same without receivers,
 * and the difference is what export costs.
 *
 *     node bench/micro/bgp-outbound.ts SCENARIO [count]
 *
 *     load [prefixes]       one sender, one receiver that was there before
 *     baseline [prefixes]   one sender, nobody to tell
 *     join [prefixes]       one receiver that comes when the table stands
 *     mixed [prefixes]      as join, but prefixes of equal attributes were learned far apart
 *     reflect [prefixes]    two senders to fifty receivers
 *     mesh [clients]        clients with five routes each, all to all, sessions coming up one after another
 *     flap [prefixes]       one prefix goes and comes on a loaded table; milliseconds from octets in to octets out
 *     die [prefixes]        the sender is lost, ten receivers
 */
import { SystemClock } from '../../clock/system.ts';
import { ACCEPT_ALL } from '../../bgpd/filter/policy.ts';
import { Peer } from '../../bgpd/speaker/peer.ts';
import type { PeerConfig } from '../../bgpd/speaker/config.ts';
import { Speaker } from '../../bgpd/speaker/speaker.ts';
import type { ConnectionHandler, Transport } from '../../bgpd/speaker/transport.ts';
import { encodeKeepalive, encodeOpen } from '../../bgpd/wire/index.ts';
import { NlriCount, announcements, shuffled, withdrawals } from './outbound-octets.ts';

const PER_SET = 5;
const CHUNK = 65_536;
const OWN_AS = 65000;

/** A peer of the speaker: what it is sent is counted, and it sends what it is told to. */
class Wire {
  readonly name: string;
  readonly number: number;
  readonly asn: number;
  readonly seen = new NlriCount();
  handler: ConnectionHandler | undefined;

  constructor(number: number, asn: number) {
    this.number = number;
    this.asn = asn;
    this.name = `peer-${number}`;
  }

  get address(): string {
    return `10.${this.number >> 16}.${(this.number >> 8) & 255}.${this.number & 255}`;
  }

  open(handler: ConnectionHandler): ReturnType<Transport['connect']> {
    this.handler = handler;
    return {
      localAddress: '10.255.0.1',
      remoteAddress: this.address,
      buffered: 0,
      unread: false,
      write: (octets: readonly Uint8Array[]) => {
        for (const each of octets) this.seen.push(each);
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => undefined,
    } as never;
  }

  establish(): void {
    const routerId = 0x0a000000 + this.number;
    const capabilities = [
      { code: 1, afi: 1, safi: 1 } as const,
      { code: 2 } as const,
      { code: 65, asn: this.asn } as const,
    ];
    this.handler?.connected();
    this.#receive(encodeOpen({ version: 4, asn: this.asn, holdSeconds: 90, routerId, capabilities }));
    this.#receive(encodeKeepalive());
  }

  /** In chunks as a socket would deliver them, a turn of the event loop between two. */
  async send(stream: Uint8Array): Promise<void> {
    for (let at = 0; at < stream.length; at += CHUNK) {
      this.#receive(stream.slice(at, at + CHUNK));
      await nextTurn();
    }
  }

  fail(): void {
    this.handler?.closed('connection reset');
  }

  #receive(octets: Uint8Array): void {
    this.handler?.received(octets);
  }
}

class World {
  readonly wires: Wire[] = [];
  readonly speaker: Speaker;

  constructor(wires: readonly Wire[], reflector = false) {
    const clock = new SystemClock();
    const byAddress = new Map(wires.map((wire) => [wire.address, wire]));
    const transport: Transport = {
      connect: ({ address }, handler) => (byAddress.get(address) as Wire).open(handler),
    };
    this.wires.push(...wires);
    this.speaker = new Speaker({
      clock,
      sessions: {
        create: (config, events, restart) =>
          new Peer({ config, events, transport, clock, random: Math.random, restart }),
        remove: () => undefined,
      },
    });
    this.speaker.configure({
      asn: OWN_AS,
      routerId: 0x0afe0001,
      originated: [],
      addresses: [],
      peers: wires.map((wire) => peerOf(wire, reflector)),
    });
  }

  /** Turns of the event loop until every wire in question has seen what it should. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await nextTurn();
  }
}

function peerOf(wire: Wire, reflectorClient: boolean): PeerConfig {
  return {
    session: {
      name: wire.name,
      peerAddress: wire.address,
      peerPort: 179,
      peerAsn: wire.asn,
      localAsn: OWN_AS,
      routerId: 0x0afe0001,
      holdSeconds: 90,
      connectRetrySeconds: 5,
      passive: false,
      families: ['ipv4-unicast'],
    },
    reflectorClient,
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Wall and CPU time of some work, and the most that one turn of the event loop took; that in CPU time of this thread,
 * since on a busy machine the wall clock would tell of others' work.
 */
async function measure(name: string, work: () => Promise<void>): Promise<void> {
  (globalThis as { gc?: () => void }).gc?.();
  let last = threadMs();
  let stall = 0;
  let running = true;
  const watch = (): void => {
    const now = threadMs();
    stall = Math.max(stall, now - last);
    last = now;
    if (running) setImmediate(watch);
  };
  setImmediate(watch);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  running = false;
  const rss = process.memoryUsage().rss / 2 ** 20;
  console.log(
    `${name}: ${wall.toFixed(0)} ms, CPU ${((user + system) / 1000).toFixed(0)} ms, longest turn ${stall.toFixed(1)} ms, ${rss.toFixed(0)} MiB`,
  );
}

function sendersAndReceivers(senders: number, receivers: number, internal: boolean): [Wire[], Wire[]] {
  const asn = (n: number): number => (internal ? OWN_AS : 65001 + n);
  const all = Array.from({ length: senders + receivers }, (_, n) => new Wire(n + 1, asn(n)));
  return [all.slice(0, senders), all.slice(senders)];
}

function streamOf(sender: Wire, prefixes: number, from = 0, mixed = false): Uint8Array {
  const internal = sender.asn === OWN_AS;
  return announcements({
    from,
    prefixes: mixed ? shuffled(prefixes) : undefined,
    count: prefixes,
    perSet: PER_SET,
    asn: internal ? undefined : sender.asn,
    nextHop: 0x0a000000 + sender.number,
  });
}

async function load(prefixes: number, receivers: number): Promise<void> {
  const [[sender], rest] = sendersAndReceivers(1, receivers, false) as [[Wire], Wire[]];
  const world = new World([sender, ...rest]);
  for (const wire of world.wires) wire.establish();
  const stream = streamOf(sender, prefixes);
  const table = world.speaker.tables['ipv4-unicast'];
  await measure(receivers === 0 ? 'baseline' : 'load', async () => {
    await sender.send(stream);
    await world.until(() =>
      receivers === 0
        ? table.locRib.size === prefixes && table.locRib.dirty === 0
        : rest.every(({ seen }) => seen.announced >= prefixes),
    );
  });
  for (const { seen } of rest) console.log(`  ${seen.toString()}`);
}

async function join(prefixes: number, mixed: boolean): Promise<void> {
  const [[sender], [receiver]] = sendersAndReceivers(1, 1, false) as [[Wire], [Wire]];
  const world = new World([sender, receiver]);
  sender.establish();
  await sender.send(streamOf(sender, prefixes, 0, mixed));
  await world.until(() => world.speaker.tables['ipv4-unicast'].locRib.dirty === 0);
  await measure(mixed ? 'join mixed' : 'join', async () => {
    receiver.establish();
    await world.until(() => receiver.seen.announced >= prefixes);
  });
  console.log(`  ${receiver.seen.toString()}`);
}

async function reflect(prefixes: number): Promise<void> {
  const [senders, receivers] = sendersAndReceivers(2, 50, true);
  const world = new World([...senders, ...receivers], true);
  for (const wire of world.wires) wire.establish();
  const streams = senders.map((sender, i) => streamOf(sender, prefixes, i * prefixes));
  await measure('reflect', async () => {
    await Promise.all(senders.map((sender, i) => sender.send(streams[i] as Uint8Array)));
    await world.until(() => receivers.every(({ seen }) => seen.announced >= 2 * prefixes));
  });
  console.log(`  ${receivers[0]?.seen.toString()}`);
}

async function mesh(clients: number): Promise<void> {
  const [, wires] = sendersAndReceivers(0, clients, true);
  const world = new World(wires, true);
  const streams = wires.map((wire, i) => streamOf(wire, PER_SET, i * PER_SET));
  const all = (clients - 1) * PER_SET;
  await measure('mesh', async () => {
    for (const [i, wire] of wires.entries()) {
      wire.establish();
      await wire.send(streams[i] as Uint8Array);
    }
    await world.until(() => wires.every(({ seen }) => seen.announced >= all));
  });
  const writes = wires.reduce((sum, { seen }) => sum + seen.writes, 0);
  console.log(`  ${writes} writes, ${wires[0]?.seen.toString()}`);
}

async function flap(prefixes: number): Promise<void> {
  const [[sender], [receiver]] = sendersAndReceivers(1, 1, false) as [[Wire], [Wire]];
  const world = new World([sender, receiver]);
  for (const wire of world.wires) wire.establish();
  await sender.send(streamOf(sender, prefixes));
  await world.until(() => receiver.seen.announced >= prefixes);
  const one = streamOf(sender, 1, prefixes + PER_SET);
  const none = withdrawals(prefixes + PER_SET, 1);
  const times: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const start = performance.now();
    const before = receiver.seen.octets;
    sender.handler?.received((i % 2 === 0 ? one : none).slice());
    await world.until(() => receiver.seen.octets > before);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(`flap: p50 ${times[1000]?.toFixed(3)} ms, p99 ${times[1980]?.toFixed(3)} ms`);
}

async function die(prefixes: number): Promise<void> {
  const [[sender], receivers] = sendersAndReceivers(1, 10, false) as [[Wire], Wire[]];
  const world = new World([sender, ...receivers]);
  for (const wire of world.wires) wire.establish();
  await sender.send(streamOf(sender, prefixes));
  await world.until(() => receivers.every(({ seen }) => seen.announced >= prefixes));
  await measure('die', async () => {
    sender.fail();
    await world.until(() => receivers.every(({ seen }) => seen.withdrawn >= prefixes));
  });
  console.log(`  ${receivers[0]?.seen.toString()}`);
}

const [scenario = 'load', count] = process.argv.slice(2);
const size = (fallback: number): number => (count === undefined ? fallback : Number(count));
const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = {
  load: () => load(size(1_000_000), 1),
  baseline: () => load(size(1_000_000), 0),
  join: () => join(size(1_000_000), false),
  mixed: () => join(size(1_000_000), true),
  reflect: () => reflect(size(100_000)),
  mesh: () => mesh(size(1_000)),
  flap: () => flap(size(200_000)),
  die: () => die(size(200_000)),
};
await (SCENARIOS[scenario] ?? (() => Promise.reject(new Error(`no scenario ${scenario}`))))();
process.exit(0);
