/** Whether TCP crosses from one network namespace to an address in another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { run } from '../../net/kernel/index.ts';

const SERVER = `const [host] = process.argv.slice(1);
require('node:net').createServer((socket) => socket.end('hello')).listen({ host, port: 4444 }, () => console.log('ready'));`;
const CLIENT = `const [host] = process.argv.slice(1);
const socket = require('node:net').connect({ host, port: 4444, timeout: 2000 });
socket.on('timeout', () => socket.destroy(new Error('timeout'))).on('error', (error) => { console.log(error.message); process.exit(0); });
socket.on('data', (data) => console.log(String(data)));`;

/** `hello` when it does, else the client's error. */
export async function reach(from: string, to: string, target: string): Promise<string> {
  const server = spawn('nsenter', [`--net=${to}`, '--', process.execPath, '-e', SERVER, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await Promise.race([
      once(server.stdout, 'data'),
      once(server, 'exit').then(() => Promise.reject(new Error('no server'))),
    ]);
    return (await run(process.execPath, ['-e', CLIENT, target], { netns: from })).stdout.trim();
  } finally {
    server.kill('SIGKILL');
  }
}
