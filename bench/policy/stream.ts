/** One end of the stream of scenario (e): `stream.ts sink ADDRESS`, `stream.ts source ADDRESS SECONDS`. */
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const PORT = 8000;
const CHUNK = Buffer.alloc(256 * 1024);
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

if (role === 'sink') {
  const server = createServer((socket) => {
    socket.resume();
    socket.on('close', () => process.exit(0));
    socket.on('error', () => process.exit(0));
  });
  server.listen(PORT, address);
  setTimeout(() => process.exit(1), 60_000);
} else {
  const socket = connect(PORT, address, () => {
    const [from, since] = [sent(), performance.now()];
    const more = (): void => {
      while (socket.write(CHUNK));
    };
    socket.on('drain', more);
    more();
    setTimeout(() => {
      const rate = ((sent() - from) / (performance.now() - since)) * 1000;
      process.stdout.write(String(Math.round(rate)));
      socket.destroy();
      process.exit(0);
    }, Number(seconds) * 1000);
  });
  socket.on('error', (error) => {
    process.stderr.write(String(error));
    process.exit(1);
  });
}
