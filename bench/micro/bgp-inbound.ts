/**
 * What it costs to receive a full table, without sockets: encoded UPDATEs go through a framer to a speaker whose one
 * peer is Established. Framing, decoding, Adj-RIB-In, import policy, Loc-RIB and decision are in; export is not.
 *
 *     node bench/micro/bgp-inbound.ts [prefixes=1000000] [perSet=5] [family=4]
 *
 * The UPDATEs are encoded by one process and received by another, so that memory is that of a receiver alone.
 *
 * Guards the hot path of bgpd/wire/plain-update.ts and bgpd/rib/. The target is about 1 CPU second and less than
 * 230 MiB for a million prefixes, and no turn over 50 ms.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Address, Prefix } from '../../net/addr/index.ts';
import { encodeUpdates } from '../../bgpd/wire/index.ts';
import { CHUNK, SENDER, settled, speakerWithOneSender } from '../one-sender.ts';

const [prefixes = 1_000_000, perSet = 5, version = 4] = process.argv.slice(2, 5).map(Number);
const file = process.argv[5];
const family = version === 4 ? 'ipv4-unicast' : 'ipv6-unicast';

function prefixOf(n: number): Prefix {
  return version === 4
    ? Prefix.of(Address.v4(0x01000000 + n * 256), 24)
    : Prefix.of(Address.v6(0x20010db8, n, 0, 0), 64);
}

function messagesOf(set: number): Uint8Array[] {
  const nlri = Array.from({ length: Math.min(perSet, prefixes - set * perSet) }, (_, i) => ({
    prefix: prefixOf(set * perSet + i),
  }));
  const nextHop = { address: version === 4 ? Address.v4(0x0a000002) : Address.v6(0xfd000000, 0, 0, 2) };
  const asns = [SENDER.asn, 3356, (set % 4000) + 1, 4_200_000_000 + set];
  const attributes = {
    origin: 'IGP',
    asPath: [{ type: 'sequence', asns }],
    med: set % 100,
    communities: [65001 * 65536 + (set % 1000), 65001 * 65536 + 7],
  } as const;
  return encodeUpdates(
    { type: 'update', unreach: [], reach: [{ family, nextHop, nlri }], attributes },
    settled(family),
  );
}

function streamOf(): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let set = 0; set * perSet < prefixes; set++) parts.push(...messagesOf(set));
  const stream = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  return stream;
}

if (file === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-'));
  const updates = join(folder, 'updates');
  writeFileSync(updates, streamOf());
  const sizes = [prefixes, perSet, version].map(String);
  const receiver = [...process.execArgv, '--expose-gc', import.meta.filename, ...sizes, updates];
  const { status } = spawnSync(process.execPath, receiver, { stdio: 'inherit' });
  rmSync(folder, { recursive: true });
  process.exit(status ?? 1);
}

const { speaker, peer } = speakerWithOneSender(family, ['10.0.0.1', '10.0.0.2']);

const collect = (): NodeJS.MemoryUsage => {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage();
};
const mib = (value: number): number => Math.round(value / 2 ** 20);
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const table = speaker.tables[family];

const stream = openSync(file, 'r');
const before = collect();
const cpu = process.cpuUsage();
const start = performance.now();
let longest = 0;
let longestCpu = 0;
/** Milliseconds of this thread, which other processes do not lengthen. */
const threadMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
// Export belongs to another bench: nobody is told anything here.
for (const { group } of table.groups.values()) group.close();
table.groups.clear();
let octets = 0;
for (let more = true; more || table.locRib.dirty > 0; ) {
  const turn = performance.now();
  const turnCpu = threadMs();
  const chunk = new Uint8Array(CHUNK);
  const count = readSync(stream, chunk);
  octets += count;
  more = count > 0;
  if (more) peer.received(chunk.subarray(0, count));
  // oxlint-disable-next-line no-await-in-loop -- one chunk a turn, as from a socket
  await nextTurn();
  longest = Math.max(longest, performance.now() - turn);
  longestCpu = Math.max(longestCpu, threadMs() - turnCpu);
}
const seconds = (performance.now() - start) / 1000;
const used = process.cpuUsage(cpu);
const peak = process.resourceUsage().maxRSS / 1024;
const after = collect();
closeSync(stream);

const decided = table.locRib.size;
if (decided !== prefixes) throw new Error(`${decided} prefixes in the Loc-RIB instead of ${prefixes}`);
// The peer goes, and all it said with it.
const loss = threadMs();
peer.closed('reset by peer');
let lossTurnCpuMs = threadMs() - loss;
while (table.locRib.size > 0) {
  const turn = threadMs();
  // oxlint-disable-next-line no-await-in-loop -- as above
  await nextTurn();
  lossTurnCpuMs = Math.max(lossTurnCpuMs, threadMs() - turn);
}
const lossCpuMs = threadMs() - loss;

process.stdout.write(
  `${JSON.stringify({
    prefixes,
    octets,
    seconds: Number(seconds.toFixed(2)),
    cpuSeconds: Number(((used.user + used.system) / 1e6).toFixed(2)),
    longestTurnMs: Math.round(longest),
    longestTurnCpuMs: Math.round(longestCpu),
    tableMiB: mib(after.heapUsed + after.external - before.heapUsed - before.external),
    residentMiB: mib(after.rss),
    lossTurnCpuMs: Math.round(lossTurnCpuMs),
    lossCpuMs: Math.round(lossCpuMs),
    peakMiB: Math.round(peak),
  })}\n`,
);
speaker.stop('restart');
process.exit(0);
