/**
 * A target that does not route: it answers OPEN and KEEPALIVE, and copies whole UPDATEs of each station to all others
 * without looking inside. When a station goes, the others are told so with octets made beforehand. `node pipe-router.ts PLAN.json`.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { encodeWithdrawals, Growing, HEADER } from '../traffic/encode.ts';
import type { Plan } from '../traffic/plan.ts';

const UPDATE = 2;

const plan: Plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const sockets = new Set<Socket>();
/** What is told of a station when it goes, where it is going to: the withdrawals of what it announced. */
const farewells = new Map(
  plan.stations.flatMap(({ address, sends }) =>
    sends === undefined || plan.act.kind !== 'death'
      ? []
      : [[address, encodeWithdrawals(plan.version, sends.first, sends.count)]],
  ),
);

createServer((socket) => {
  sockets.add(socket);
  const address = socket.remoteAddress ?? '';
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    const octets = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    rest = octets.subarray(take(socket, octets));
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    sockets.delete(socket);
    const farewell = farewells.get(address);
    if (farewell !== undefined) copy(socket, farewell);
  });
}).listen(plan.target.port, plan.target.address);

/** Deals with the whole messages in front; returns where they end. */
function take(from: Socket, octets: Buffer): number {
  let at = 0;
  let updates = 0;
  while (at + HEADER <= octets.length) {
    const next = at + octets.readUInt16BE(at + 16);
    if (next > octets.length) break;
    if (octets[at + 18] !== UPDATE) {
      copy(from, octets.subarray(updates, at));
      answer(from, octets[at + 18]);
      updates = next;
    }
    at = next;
  }
  copy(from, octets.subarray(updates, at));
  return at;
}

function copy(from: Socket, updates: Uint8Array): void {
  if (updates.length > 0) for (const to of sockets) if (to !== from) to.write(updates);
}

function answer(to: Socket, type: number | undefined): void {
  if (type === 1) to.write(openAndKeepalive());
  else if (type === 4) to.write(endOfRib());
}

function openAndKeepalive(): Uint8Array {
  const out = new Growing(128);
  const start = out.open(1);
  out.u8(4);
  out.u16(plan.target.asn);
  out.u16(180);
  out.u32(0x0a130001);
  out.u8(0);
  out.close(start);
  out.close(out.open(4));
  return out.octets();
}

function endOfRib(): Uint8Array {
  const out = new Growing(64);
  const start = out.open(UPDATE);
  out.u16(0);
  const attributes = out.hold16();
  if (plan.version === 6) out.u8s([0x80, 15, 3, 0, 2, 1]);
  out.settle16(attributes);
  out.close(start);
  return out.octets();
}
