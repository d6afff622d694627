/**
 * The program inside a workload: a small TCP server that tells who it is and whom it sees, and a control socket
 * through which the lab asks it to knock at others, or to keep a connection busy. Both ends of every measured connection are therefore real
 * sockets in the workloads' own network namespaces.
 *
 * usage: main.ts NAME PORT CONTROL_SOCKET
 */
import { createServer } from 'node:net';
import { serveControl } from '../../daemon/control.ts';
import { onShutdown } from '../../daemon/process.ts';
import { hold } from './hold.ts';
import { type Knock, knock } from './knock.ts';

const [name = '', port = '', control = ''] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.write(`${JSON.stringify({ name, you: socket.remoteAddress?.replace(/^::ffff:/, '') })}\n`);
  // Then an echo, so that a long-lived connection can be watched while the lab is disturbed.
  socket.pipe(socket);
});
// One socket for both families: IPv4 arrives as mapped addresses.
await new Promise<void>((resolve, reject) => {
  server.once('error', reject);
  server.listen({ port: Number(port), host: '::' }, resolve);
});

const held: ReturnType<typeof hold>[] = [];

const served = await serveControl(control, {
  'GET /health': () => ({ name }),
  'POST /knock': async ({ body }) => Promise.all((body as Knock[]).map(knock)),
  'POST /hold': ({ body }) => {
    for (const { address, port } of body as Knock[]) held.push(hold(address, port));
    return { held: held.length };
  },
  'GET /held': () => held.map((one) => one.report()),
});

onShutdown(async () => {
  server.close();
  for (const one of held) one.close();
  await served.close();
});
