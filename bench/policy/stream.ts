/**
 * One end of the stream of scenario (e): `stream.ts sink ADDRESS`, `stream.ts source ADDRESS SECONDS`. The source tells how
 * many packets it sent a second, and both how much processor time they took, as JSON. What the router does is among it:
 * the kernel carries packets from one end of a veth to the next in the context of who sends.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

export interface Streamed {
  /** Zero from the sink. */
  readonly packets: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const PORT = 8000;
const CHUNK = Buffer.alloc(256 * 1024);
/** Until windows are open and code is warm. */
const WARM_UP_MS = 150;
const [, , role, address = '', seconds = '1'] = process.argv;

/** Packets that left by the interface since it was made (proc(5), of the process's own namespace, unlike /sys). */
function sent(): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((each) => each.trim().startsWith('eth0:'));
  const TRANSMITTED_PACKETS = 9;
  return Number(
    line
      ?.slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/)[TRANSMITTED_PACKETS] ?? Number.NaN,
  );
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Says what has come to pass since, and ends. */
function measuring(): () => void {
  const [from, since, cpu] = [role === 'sink' ? 0 : sent(), performance.now(), cpuSeconds()];
  return () => {
    const streamed: Streamed = {
      packets: role === 'sink' ? 0 : sent() - from,
      seconds: (performance.now() - since) / 1000,
      cpuSeconds: cpuSeconds() - cpu,
    };
    process.stdout.write(JSON.stringify(streamed), () => process.exit(0));
  };
}

if (role === 'sink') {
  const server = createServer((socket) => {
    let done: (() => void) | undefined;
    setTimeout(() => (done = measuring()), WARM_UP_MS);
    socket.resume();
    socket.on('close', () => done?.());
    socket.on('error', () => done?.());
  });
  server.listen(PORT, address);
  setTimeout(() => process.exit(1), 60_000);
} else {
  const socket = connect(PORT, address, () => {
    const more = (): void => {
      while (socket.write(CHUNK));
    };
    socket.on('drain', more);
    more();
    setTimeout(() => {
      const done = measuring();
      setTimeout(() => {
        socket.destroy();
        done();
      }, Number(seconds) * 1000);
    }, WARM_UP_MS);
  });
  socket.on('error', (error) => {
    process.stderr.write(String(error));
    process.exit(1);
  });
}
