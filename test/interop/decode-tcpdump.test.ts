/** `poplin bgp decode` on what a real tcpdump writes. Needs root; the capture is of the loopback. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CaptureDecoder, type Plain } from '../../bgpd/decode/index.ts';
import { open, update } from '../../bgpd/decode/testing.ts';
import { encodeKeepalive } from '../../bgpd/wire/index.ts';
import { eventually } from './peers/eventually.ts';

const UPDATES = 500;

/** What one side says: enough to fill many segments, with messages that end in the middle of them. */
const SPEECH = Buffer.concat([
  open(65001, [{ code: 65, asn: 65001 }]),
  encodeKeepalive(),
  ...Array.from({ length: UPDATES }, (_, i) =>
    update(`10.${i >> 8}.${i & 255}.0/24`, [65001, 4_200_000_000]),
  ),
]);
/** What both say together. */
const SAID = { open: 2, keepalive: 2, update: UPDATES };

const ANSWER = Buffer.concat([open(65002, [{ code: 65, asn: 65002 }]), encodeKeepalive()]);

async function talk(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  await once(socket, 'connect');
  socket.resume();
  socket.end(SPEECH);
  await once(socket, 'close');
}

function answering(host: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.resume();
    socket.end(ANSWER);
  });
  return new Promise((resolve) => server.listen(0, host, () => resolve(server)));
}

function decoded(file: string): Plain[] {
  const decoder = new CaptureDecoder();
  return [...decoder.push(readFileSync(file)), ...decoder.end()];
}

/** Of each type. */
function counted(messages: readonly Plain[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of messages) counts[String(type)] = (counts[String(type)] ?? 0) + 1;
  return counts;
}

describe('poplin bgp decode and tcpdump', function () {
  this.timeout(400_000);
  let folder: string;
  let dump: ChildProcess | undefined;
  let server: Server | undefined;

  before(function () {
    if (process.getuid?.() === 0) return;
    console.log('      SKIPPED: needs root to capture');
    this.skip();
  });
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'poplin-decode-'))));
  afterEach(() => {
    dump?.kill('SIGKILL');
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ways = [
    { it: 'IPv4 on the loopback', host: '127.0.0.1', device: 'lo' },
    { it: 'IPv6 on the loopback', host: '::1', device: 'lo' },
    { it: 'IPv4 on every device (SLL2)', host: '127.0.0.1', device: 'any' },
  ];
  for (const { it: what, host, device } of ways) {
    it(`reads ${what}`, async () => {
      server = await answering(host);
      const { port } = server.address() as AddressInfo;
      const file = join(folder, 'session.pcap');
      dump = spawn('tcpdump', ['-i', device, '-U', '-w', file, 'tcp', 'port', String(port)], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      dump.on('error', (error) => void (said = String(error)));
      dump.stderr?.on('data', (chunk: Buffer) => void (said += chunk.toString()));
      await eventually(
        'tcpdump listens',
        () => said,
        (text) => text.includes('listening on'),
      );
      await talk(host, port);
      // What it has not written when it is told to end, it leaves out.
      await eventually(
        'tcpdump wrote everything',
        () => counted(decoded(file)),
        (counts) => Object.entries(SAID).every(([type, count]) => counts[type] === count),
      );
      dump.kill('SIGINT');
      await once(dump, 'exit');

      const found = decoded(file);
      expect(counted(found)).to.deep.equal(SAID);
      const paths = found.flatMap(({ type, attributes }) =>
        type === 'update' ? [(attributes as Plain)['asPath']] : [],
      );
      expect(new Set(paths)).to.deep.equal(new Set(['65001 4200000000']));
    });
  }
});
