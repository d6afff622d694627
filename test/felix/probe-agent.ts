/**
 * Runs inside the network namespace of one workload: answers on some ports and tries to reach others, as told
 * on standard input, one JSON object a line. Started by `prober.ts`.
 */
import { createSocket } from 'node:dgram';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

interface Order {
  readonly id: number;
  readonly op: 'listen' | 'listenTcp' | 'listenUdp' | 'tcp' | 'udp' | 'open' | 'ping';
  readonly host?: string;
  /** Address to send from, where the namespace has several. */
  readonly from?: string;
  readonly port: number;
  readonly waitMs?: number;
}

/**
 * Less than the second after which a lost SYN is sent again, so that a packet which was dropped shows as a
 * failure, and otherwise as long as can be: a busy machine is slow.
 */
const PATIENCE_MS = 800;

/** Connections that stay open over a change of policy. */
const open = new Map<number, Socket>();

function answer(id: number, ok: boolean): void {
  process.stdout.write(`${JSON.stringify({ id, ok })}\n`);
}

function listenTcp({ id, port }: Order): void {
  echoServer().listen(port, '::', () => answer(id, true));
}

function echoServer(): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
}

function listen({ id, port }: Order): void {
  const udp = createSocket('udp6');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  echoServer().listen(port, '::', () => udp.bind(port, '::', () => answer(id, true)));
}

/** On one address, so that what it answers comes from there. */
function listenUdp({ id, host = '', port }: Order): void {
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  udp.bind(port, host, () => answer(id, true));
}

function once(id: number, waitMs: number, end: () => void): (ok: boolean) => void {
  let done = false;
  const settle = (ok: boolean): void => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    end();
    answer(id, ok);
  };
  const timer = setTimeout(() => settle(false), waitMs);
  return settle;
}

function tcp({ id, host = '', from, port, waitMs = PATIENCE_MS }: Order): void {
  const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
  const settle = once(id, waitMs, () => socket.destroy());
  socket.on('connect', () => settle(true));
  socket.on('error', () => settle(false));
}

/** A flow that conntrack still remembers would pass whatever policy says now: no port is used twice. */
let sourcePort = 20_000;

function udp({ id, host = '', from, port, waitMs = PATIENCE_MS }: Order): void {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const settle = once(id, waitMs, () => socket.close());
  socket.on('message', () => settle(true));
  socket.on('error', () => settle(false));
  socket.bind({ port: sourcePort++, ...(from === undefined ? {} : { address: from }) }, () =>
    socket.send('ping', port, host),
  );
}

/** `open` makes a connection that stays; `ping` with its id as port says something on it and waits for the echo. */
function openConnection({ id, host = '', port, waitMs = PATIENCE_MS }: Order): void {
  const socket = connect({ host, port });
  const settle = once(id, waitMs, () => undefined);
  socket.on('connect', () => {
    open.set(id, socket);
    settle(true);
  });
  socket.on('error', () => settle(false));
}

function ping({ id, port, waitMs = PATIENCE_MS }: Order): void {
  const socket = open.get(port);
  const settle = once(id, waitMs, () => socket?.removeAllListeners('data'));
  if (socket === undefined || socket.destroyed) return settle(false);
  socket.on('data', () => settle(true));
  socket.write('still there?');
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as Order;
  ({ listen, listenTcp, listenUdp, tcp, udp, open: openConnection, ping })[order.op](order);
});
process.stdin.on('end', () => process.exit(0));
