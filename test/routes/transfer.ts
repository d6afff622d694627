/**
 * Inside a workload: `serve ADDRESS` echoes what it is sent; `send ADDRESS OCTETS MILLISECONDS` sends that much over at
 * least that time, and ends well only when the same came back; `knock ADDRESS` says whether anybody answers a connection, if
 * only to refuse it.
 */
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const PORT = 7007;
const CHUNK = 64 * 1024;

const [what, address = '', octets = '0', paced = '0'] = process.argv.slice(2);
if (what === 'serve')
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  }).listen(PORT, address, () => process.stdout.write('listening\n'));
else if (what === 'knock') process.stdout.write(String(await knock()));
else await send(Number(octets), Number(paced));

async function send(total: number, millis: number): Promise<void> {
  const socket = connect({ host: address, port: PORT });
  const sent = createHash('sha256');
  const received = createHash('sha256');
  let back = 0;
  const done = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      received.update(chunk);
      back += chunk.length;
    });
    socket.on('end', resolve);
    socket.on('error', reject);
    socket.setTimeout(20_000, () => reject(new Error(`silence for 20 seconds after ${back} octets`)));
  });
  const chunks = Math.ceil(total / CHUNK);
  for (let i = 0; i < chunks; i++) {
    const chunk = Buffer.alloc(Math.min(CHUNK, total - i * CHUNK), i % 251);
    sent.update(chunk);
    if (!socket.write(chunk))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), done]);
    if (millis > 0) await sleep(millis / chunks);
  }
  socket.end();
  await done;
  if (back !== total || sent.digest('hex') !== received.digest('hex'))
    throw new Error(`${total} octets went, ${back} came back, or others than went`);
  process.exit(0);
}

function knock(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: PORT });
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
    setTimeout(() => end(false), 1000);
  });
}
