/**
 * Sends probes between namespaces and tells what became of them. All is done by this process: sockets stay in the namespace
 * that they were opened in. What a namespace takes in waits in its sockets whatever this machine has to do meanwhile, so a
 * denial is known after a moment, and only what should arrive is waited for long.
 */
import { IpListener, IpSender, LinkSender } from '../../net/kernel/raw-socket.ts';
import {
  ICMP,
  ICMP6,
  type Probe,
  SCTP,
  TCP,
  UDP,
  UNKNOWN,
  decode,
  encodeAnswer,
  encodeProbe,
  isAnswered,
} from './probe-packet.ts';

/** A namespace that sends and hears. Can be handed to another thread. */
export interface StationSpec {
  readonly name: string;
  /** Path. */
  readonly netns: string;
  /** Interfaces to send from; none: by the namespace's own routes, and through its rules. */
  readonly ends: readonly {
    readonly index: number;
    /** Of the neighbour behind it. */
    readonly mac: string;
    readonly addresses: readonly string[];
  }[];
}

interface Station {
  readonly listeners: readonly IpListener[];
  /** Of which sockets packets of an address go out; an address of nobody's from the first. */
  readonly senderFor: (source: string) => IpSender | LinkSender;
  close(): void;
}

export interface Flow extends Probe {
  /** Names of stations. */
  readonly from: string;
  readonly to: string;
  /** What should happen: this decides only how long we wait and how often we try. */
  readonly expected: boolean;
  /** Whether an answer must come back where the probe arrives; default: where one is to be had. */
  readonly answered?: boolean;
}

export interface Outcome {
  arrived: boolean;
  answered: boolean;
  /** An ICMP error about it came back. */
  refused?: boolean;
}

interface Sent {
  readonly flow: Flow;
  readonly outcome: Outcome;
}

const HEARD = [TCP, UDP, SCTP, UNKNOWN];
/** Packets in a row, before what arrived is looked at: fewer than the kernel lets wait between two interfaces. */
const BURST = 64;
/** After which a packet that did not arrive was stopped: a veth hands over within microseconds, a busy machine within some ms. */
const GRACE_MS = 120;
const PATIENCE_MS = 30_000;
const AGAIN_MS = 400;

/** Ports neither well known, nor used by listeners of tests, nor failsafe. */
const LANES = {
  main: { id: 1, ports: [12_000, 43_000] },
  stream: { id: 0x80000000, ports: [44_000, 65_000] },
} as const;

export class Wire {
  readonly #stations = new Map<string, Station>();
  readonly #sent = new Map<number, Sent>();
  readonly #ports: readonly [first: number, last: number];
  #id: number;
  #port: number;

  /** @param lane  two wires may be on the same namespaces: they have other numbers and other ports */
  constructor(lane: keyof typeof LANES) {
    const { id, ports } = LANES[lane];
    this.#id = id;
    this.#ports = ports;
    this.#port = ports[0];
  }

  /** Listens in a namespace from now on. */
  add(spec: StationSpec): void {
    this.#stations.set(spec.name, openStation(spec));
  }

  close(): void {
    for (const station of this.#stations.values()) station.close();
    this.#stations.clear();
  }

  /**
   * Whether one probe arrives and, where an answer is to be had, the answer too.
   *
   * @param expected  true: tries again, for as long as a busy machine may need; false: once
   */
  async reach(flow: Flow): Promise<boolean> {
    const [outcome] = await this.volley([flow]);
    return outcome?.arrived === true && outcome.answered;
  }

  /** All of them, as many at a time as the kernel takes. */
  async volley(flows: readonly Flow[]): Promise<readonly Outcome[]> {
    const outcomes = flows.map((): Outcome => ({ arrived: false, answered: false }));
    const ids = new Set<number>();
    const deadline = performance.now() + PATIENCE_MS;
    const isDone = (index: number): boolean => {
      const { arrived, answered } = outcomes[index] ?? { arrived: false, answered: false };
      return arrived && answered;
    };
    let missing = flows.map((_, index) => index);
    for (;;) {
      await this.#send(missing, flows, outcomes, ids);
      missing = await this.#await(
        missing.filter((index) => flows[index]?.expected === true),
        isDone,
      );
      if (missing.length === 0 || performance.now() > deadline) break;
    }
    await pause(GRACE_MS);
    this.listen();
    for (const id of ids) this.#sent.delete(id);
    return outcomes;
  }

  async #send(
    indexes: readonly number[],
    flows: readonly Flow[],
    outcomes: readonly Outcome[],
    ids: Set<number>,
  ): Promise<void> {
    for (const [count, index] of indexes.entries()) {
      const [flow, outcome] = [flows[index], outcomes[index]];
      if (flow === undefined || outcome === undefined) continue;
      ids.add(this.launch(flow, outcome));
      if (count % BURST !== BURST - 1) continue;
      await new Promise((resolve) => setImmediate(resolve));
      this.listen();
    }
  }

  /**
   * Sends one; what becomes of it stands in `outcome` once {@link listen} was called.
   *
   * @returns its number, to be forgotten with {@link forget}
   */
  launch(flow: Flow, outcome: Outcome): number {
    if (flow.answered === false || !isAnswered(flow)) outcome.answered = true;
    const id = this.#id++;
    const probe = { ...flow, sourcePort: flow.sourcePort ?? this.#nextPort() };
    this.#sent.set(id, { flow: probe, outcome });
    this.#station(flow.from).senderFor(flow.source).send(encodeProbe(probe, id));
    return id;
  }

  /** @returns those that are not done when it is time to try them again */
  async #await(indexes: readonly number[], isDone: (index: number) => boolean): Promise<number[]> {
    const again = performance.now() + AGAIN_MS;
    let left = [...indexes];
    for (;;) {
      this.listen();
      left = left.filter((index) => !isDone(index));
      if (left.length === 0 || performance.now() > again) return left;
      await pause(2);
    }
  }

  forget(id: number): void {
    this.#sent.delete(id);
  }

  /** Takes in what has arrived, and answers it. */
  listen(): void {
    for (const [name, { listeners }] of this.#stations)
      for (const listener of listeners)
        listener.drain((payload) => {
          const heard = decode(listener.protocol, payload);
          const sent = heard === undefined ? undefined : this.#sent.get(heard.id);
          if (heard === undefined || sent === undefined) return;
          const { flow, outcome } = sent;
          if (heard.what === 'error') {
            if (name === flow.from) outcome.refused = true;
            return;
          }
          if (flow.protocol !== listener.protocol) return;
          if (heard.what === 'answer') {
            if (name === flow.from) outcome.answered = true;
            return;
          }
          if (name !== flow.to) return;
          outcome.arrived = true;
          const answer = encodeAnswer(flow, heard.id);
          if (answer !== undefined) this.#station(name).senderFor(flow.destination).send(answer);
        });
  }

  #station(name: string): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new Error(`no station ${name}`);
    return station;
  }

  /** A flow that conntrack still remembers would pass whatever policy says now: no port is used again soon. */
  #nextPort(): number {
    const [first, last] = this.#ports;
    this.#port = this.#port >= last ? first : this.#port + 1;
    return this.#port;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function openStation({ netns, ends }: StationSpec): Station {
  const listeners = ([4, 6] as const).flatMap((version) =>
    [...HEARD, version === 4 ? ICMP : ICMP6].map((protocol) => new IpListener(netns, version, protocol)),
  );
  const links = ends.map(({ index, mac, addresses }) => ({
    link: new LinkSender(netns, index, mac),
    addresses,
  }));
  const byAddress = new Map(
    links.flatMap(({ link, addresses }) => addresses.map((each) => [each, link] as const)),
  );
  const first = links[0]?.link ?? new IpSender(netns);
  return {
    listeners,
    senderFor: (source) => byAddress.get(source) ?? first,
    close: () => {
      for (const each of [...listeners, ...links.map(({ link }) => link)]) each.close();
      if (links.length === 0) first.close();
    },
  };
}
