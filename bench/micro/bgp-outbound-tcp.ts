/**
 * What it takes to tell peers over loopback TCP: the speaker in this thread, its peers on plain sockets in another. CPU
 * time is that of the speaker's thread alone; wall time is shared with fifty or a thousand readers.
 *
 *     node bench/micro/bgp-outbound-tcp.ts load|reflect|mesh|die [count]
 */
import { type Socket, connect } from 'node:net';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../clock/system.ts';
import { ACCEPT_ALL } from '../../bgpd/filter/policy.ts';
import { Listener } from '../../bgpd/speaker/listener.ts';
import { TcpSessions } from '../../bgpd/speaker/sessions.ts';
import { Speaker } from '../../bgpd/speaker/speaker.ts';
import { TcpTransport } from '../../bgpd/speaker/tcp.ts';
import { MessageFramer, encodeKeepalive, encodeOpen } from '../../bgpd/wire/index.ts';
import { NlriCount, announcements } from './outbound-octets.ts';

const OWN_AS = 65000;
const PER_SET = 5;

interface Plan {
  readonly scenario: string;
  readonly senders: number;
  readonly receivers: number;
  readonly prefixes: number;
  readonly internal: boolean;
}

function planOf(scenario: string, count: number | undefined): Plan {
  switch (scenario) {
    case 'reflect':
      return { scenario, senders: 2, receivers: 50, prefixes: count ?? 100_000, internal: true };
    case 'mesh':
      return { scenario, senders: count ?? 500, receivers: 0, prefixes: PER_SET, internal: true };
    case 'die':
      return { scenario, senders: 1, receivers: 10, prefixes: count ?? 200_000, internal: false };
    default:
      return { scenario, senders: 1, receivers: 1, prefixes: count ?? 1_000_000, internal: false };
  }
}

function addressOf(n: number): string {
  return `127.1.${n >> 8}.${n & 255}`;
}

function asnOf(plan: Plan, n: number): number {
  return plan.internal ? OWN_AS : 65001 + n;
}

class PlainPeer {
  readonly seen = new NlriCount();
  readonly #socket: Socket;
  readonly #framer = new MessageFramer();
  #established: () => void = () => undefined;
  readonly established = new Promise<void>((resolve) => (this.#established = resolve));

  constructor(plan: Plan, n: number, port: number) {
    const asn = asnOf(plan, n);
    const capabilities = [
      { code: 1, afi: 1, safi: 1 },
      { code: 65, asn },
    ] as const;
    this.#socket = connect({ host: '127.0.0.1', port, localAddress: addressOf(n + 1) });
    this.#socket.on('error', (error) => console.log(`${addressOf(n + 1)}: ${error.message}`));
    this.#socket.on('data', (chunk: Buffer) => this.#framer.push(chunk, (message) => this.#take(message)));
    this.#socket.write(
      encodeOpen({ version: 4, asn, holdSeconds: 90, routerId: 0x0a000001 + n, capabilities }),
    );
    this.#socket.write(encodeKeepalive());
  }

  send(stream: Uint8Array): void {
    this.#socket.write(stream);
  }

  kill(): void {
    this.#socket.resetAndDestroy();
  }

  #take(message: Uint8Array): boolean {
    this.seen.push(message);
    if (message[18] === 4) this.#established();
    return true;
  }
}

function tell(text: string): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  parentPort?.postMessage(text);
}

/** The other thread. */
async function playPeers(plan: Plan, port: number): Promise<void> {
  const count = plan.senders + plan.receivers;
  const streams = Array.from({ length: plan.senders }, (_, n) =>
    announcements({
      from: n * plan.prefixes,
      count: plan.prefixes,
      perSet: PER_SET,
      prefixes: undefined,
      asn: plan.internal ? undefined : asnOf(plan, n),
      nextHop: 0x0a010001 + n,
    }),
  );
  const mesh = plan.scenario === 'mesh';
  let start = performance.now();
  if (mesh) tell('start');
  const peers = Array.from({ length: count }, (_, n) => new PlainPeer(plan, n, port));
  await Promise.all(peers.map(({ established }) => established));
  if (!mesh) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    tell('start');
    start = performance.now();
  }
  for (const [n, stream] of streams.entries()) peers[n]?.send(stream);
  const others = mesh ? peers : peers.slice(plan.senders);
  const all = (plan.senders - (mesh ? 1 : 0)) * plan.prefixes;
  await until(() => others.every(({ seen }) => seen.announced >= all));
  if (plan.scenario === 'die') {
    tell('start');
    start = performance.now();
    peers[0]?.kill();
    await until(() => others.every(({ seen }) => seen.withdrawn >= all));
  }
  const octets = others.reduce((sum, { seen }) => sum + seen.octets, 0);
  tell(
    `${plan.scenario}: ${(performance.now() - start).toFixed(0)} ms, ${octets} octets to ${others.length}`,
  );
  tell('end');
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function serve(plan: Plan): Promise<void> {
  const clock = new SystemClock();
  const listener = new Listener({ clock, port: 0, addresses: ['127.0.0.1'] });
  const sessions = new TcpSessions({
    clock,
    transport: new TcpTransport(clock),
    random: Math.random,
    listener,
  });
  const speaker = new Speaker({ clock, sessions });
  await listener.listen();
  speaker.configure({
    asn: OWN_AS,
    routerId: 0x7f000001,
    originated: [],
    addresses: [],
    peers: Array.from({ length: plan.senders + plan.receivers }, (_, n) => ({
      session: {
        name: addressOf(n + 1),
        peerAddress: addressOf(n + 1),
        peerPort: 179,
        peerAsn: asnOf(plan, n),
        localAsn: OWN_AS,
        routerId: 0x7f000001,
        holdSeconds: 90,
        connectRetrySeconds: 60,
        passive: true,
        families: ['ipv4-unicast'],
      },
      reflectorClient: plan.internal,
      importPolicy: ACCEPT_ALL,
      exportPolicy: ACCEPT_ALL,
    })),
  });
  const worker = new Worker(new URL(import.meta.url), { workerData: { plan, port: listener.port } });
  let cpu = process.threadCpuUsage();
  let last = performance.now();
  let stall = 0;
  const watch = (): void => {
    const now = performance.now();
    stall = Math.max(stall, now - last);
    last = now;
    setTimeout(watch, 1);
  };
  watch();
  worker.on('message', (text: string) => {
    if (text === 'start') {
      cpu = process.threadCpuUsage();
      stall = 0;
      return;
    }
    const { user, system } = process.threadCpuUsage(cpu);
    if (text !== 'end') {
      const rss = process.memoryUsage().rss / 2 ** 20;
      console.log(
        `${text}; speaker CPU ${((user + system) / 1000).toFixed(0)} ms, longest turn ${stall.toFixed(0)} ms, ${rss.toFixed(0)} MiB with its peers`,
      );
      return;
    }
    process.exit(0);
  });
}

const data = workerData as { readonly plan: Plan; readonly port: number } | null;
if (isMainThread || data === null) {
  const [scenario = 'load', count] = process.argv.slice(2);
  await serve(planOf(scenario, count === undefined ? undefined : Number(count)));
} else await playPeers(data.plan, data.port);
