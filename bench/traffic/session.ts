/**
 * The least of a BGP session: it opens, keeps alive, writes octets as fast as the target reads them, and hands every
 * UPDATE to a {@link Tally}. No routes, no policy: the target is what is measured.
 */
import { connect, type Socket } from 'node:net';
import { Growing, HEADER } from './encode.ts';
import type { Plan, Station } from './plan.ts';
import type { Tally } from './tally.ts';

const OPEN = 1;
const UPDATE = 2;
const NOTIFICATION = 3;
const KEEPALIVE = 4;
const HOLD_SECONDS = 180;
const KEEPALIVE_MS = 20_000;
const RETRY_MS = 100;
const WRITE_OCTETS = 512 * 1024;

/** One for all sockets: what is read is looked at before the next read. */
const READ_BUFFER = new Uint8Array(512 * 1024);

export interface SessionEvents {
  established(): void;
  /** Octets have been looked at. */
  received(session: TrafficSession): void;
  /** The connection ended and we did not end it. */
  lost(session: TrafficSession, reason: string): void;
}

export class TrafficSession {
  readonly station: Station;
  readonly tally: Tally;
  established = false;
  /** While all sessions are being set up: one that the target ends is opened again. */
  patient = true;
  octetsIn = 0;
  octetsOut = 0;
  readonly #plan: Plan;
  readonly #events: SessionEvents;
  #socket: Socket | undefined;
  /** The beginning of a message whose end has not come. */
  #rest = new Uint8Array(0);
  #keepalive: NodeJS.Timeout | undefined;
  #queue: Uint8Array[] = [];
  #closed = false;

  constructor(plan: Plan, station: Station, tally: Tally, events: SessionEvents) {
    this.#plan = plan;
    this.station = station;
    this.tally = tally;
    this.#events = events;
  }

  /** Calls until the target answers: it may not be listening yet. */
  open(): void {
    const { target } = this.#plan;
    const socket = connect({
      host: target.address,
      port: target.port,
      localAddress: this.station.address,
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (count, octets) => {
          this.#received(octets, count);
          return true;
        },
      },
    });
    this.#socket = socket;
    let reason = 'the target closed the connection';
    socket.on('error', (error) => (reason = error.message));
    socket.on('connect', () => socket.write(encodeOpen(this.#plan, this.station)));
    socket.on('drain', () => this.#pump());
    socket.on('close', () => this.#gone(reason));
  }

  /** Writes all of it, as fast as it is read. Returns at once. */
  send(octets: Uint8Array): void {
    for (let at = 0; at < octets.length; at += WRITE_OCTETS)
      this.#queue.push(octets.subarray(at, at + WRITE_OCTETS));
    this.#pump();
  }

  /** Resets the connection: to the target the peer has died. */
  reset(): void {
    this.#closed = true;
    clearInterval(this.#keepalive);
    this.#socket?.resetAndDestroy();
  }

  #pump(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    let taken = 0;
    for (const octets of this.#queue) {
      if (socket.writableNeedDrain) break;
      this.octetsOut += octets.length;
      socket.write(octets);
      taken++;
    }
    this.#queue.splice(0, taken);
  }

  #gone(reason: string): void {
    clearInterval(this.#keepalive);
    if (this.#closed) return;
    if (this.established && !this.patient) {
      this.#events.lost(this, reason);
      return;
    }
    this.established = false;
    this.#rest = new Uint8Array(0);
    setTimeout(() => this.open(), RETRY_MS);
  }

  #received(chunk: Uint8Array, count: number): void {
    this.octetsIn += count;
    let octets = chunk;
    let end = count;
    if (this.#rest.length > 0) {
      octets = new Uint8Array(this.#rest.length + count);
      octets.set(this.#rest);
      octets.set(chunk.subarray(0, count), this.#rest.length);
      end = octets.length;
    }
    let at = 0;
    while (at + HEADER <= end) {
      const next = at + (((octets[at + 16] ?? 0) << 8) | (octets[at + 17] ?? 0));
      if (next > end || next < at + HEADER) break;
      if (octets[at + 18] === UPDATE) this.tally.update(octets, at, next);
      else this.#message(octets, at, next);
      at = next;
    }
    this.#rest = octets.slice(at, end);
    this.#events.received(this);
  }

  #message(octets: Uint8Array, at: number, end: number): void {
    const type = octets[at + 18];
    if (type === OPEN) this.#socket?.write(encodeKeepalive());
    else if (type === KEEPALIVE && !this.established) this.#establish();
    else if (type === NOTIFICATION) {
      const text = Buffer.from(octets.subarray(at + 21, end)).toString('latin1');
      const said = `the target sent NOTIFICATION ${octets[at + 19]}/${octets[at + 20]} ${JSON.stringify(text)}`;
      if (!this.established || this.patient) return;
      this.#events.lost(this, said);
      this.#closed = true;
    }
  }

  #establish(): void {
    this.established = true;
    this.#keepalive = setInterval(() => this.#socket?.write(encodeKeepalive()), KEEPALIVE_MS);
    this.#events.established();
  }
}

function encodeKeepalive(): Uint8Array {
  const out = new Growing(HEADER);
  out.close(out.open(KEEPALIVE));
  return out.octets();
}

function encodeOpen({ version }: Plan, station: Station): Uint8Array {
  const out = new Growing(128);
  const start = out.open(OPEN);
  out.u8(4);
  out.u16(station.asn > 0xffff ? 23_456 : station.asn);
  out.u16(HOLD_SECONDS);
  out.u32(station.routerId);
  // Multiprotocol, route refresh, graceful restart without a word on any family (asks for End-of-RIB, keeps nothing)
  // and four-octet AS numbers.
  const capabilities = [1, 4, 0, version === 4 ? 1 : 2, 0, 1, 2, 0, 64, 2, 0, 0];
  out.u8(2 + capabilities.length + 6);
  out.u8(2);
  out.u8(capabilities.length + 6);
  out.u8s(capabilities);
  out.u8s([65, 4]);
  out.u32(station.asn);
  out.close(start);
  return out.octets();
}
