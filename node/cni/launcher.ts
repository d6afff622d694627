/**
 * The agent's side of `cni-plugin/launcher/launcher.c`: one call a connection, the environment and standard input of
 * the process that a runtime started in, its standard output and exit code out.
 *
 * No HTTP here: what the launcher must be able to say and read decides how small it can be.
 */
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { runPlugin } from '../../cni-plugin/plugin.ts';
import type { CniRequest, CniResponse } from '../../cni-plugin/protocol.ts';
import { listenPrivately } from '../../daemon/unix-socket.ts';
import { ok } from '../../api/index.ts';

/** Beside the agent's own socket, where the launcher looks for it. */
const SOCKET_NAME = 'cni.sock';
const GREETING = Buffer.from('POPLIN-CNI 1\n');
/** What the launcher itself takes at most (8 MiB of input, 64 KiB of variables), and a little. */
const REQUEST_MAX = (8 << 20) + (128 << 10);

export interface LauncherServer {
  close(): Promise<void>;
}

/**
 * @param handle does the call; never rejects
 * @throws PoplinError `CONTROL_IN_USE` when another agent serves this folder
 */
export async function serveLaunchers(
  runDir: string,
  handle: (request: CniRequest) => Promise<CniResponse>,
): Promise<LauncherServer> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // A launcher that was killed: its call goes on, as it would have.
    socket.on('error', () => socket.destroy());
    const chunks: Buffer[] = [];
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > REQUEST_MAX) socket.destroy();
    });
    socket.on('end', () => {
      const call = readCall(Buffer.concat(chunks, length));
      // Nothing said makes the launcher ask the program that can explain itself.
      if (call === undefined) return socket.destroy();
      void answer(call, handle).then((octets) => socket.end(octets));
    });
  });
  await listenPrivately(server, join(runDir, SOCKET_NAME));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

export interface LauncherCall {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** @returns undefined when this is no whole call of a launcher */
export function readCall(octets: Buffer): LauncherCall | undefined {
  if (!octets.subarray(0, GREETING.length).equals(GREETING)) return undefined;
  const env: Record<string, string> = {};
  for (let at = GREETING.length; ; ) {
    const end = octets.indexOf(0, at);
    if (end < 0) return undefined;
    if (end === at) return { env, stdin: octets.toString('utf8', end + 1) };
    const entry = octets.toString('utf8', at, end);
    const equals = entry.indexOf('=');
    // The first of two wins, as in getenv(3).
    if (equals > 0) env[entry.slice(0, equals)] ??= entry.slice(equals + 1);
    at = end + 1;
  }
}

/** The very code of the executable, with the agent at hand instead of behind a socket. */
async function answer(
  { env, stdin }: LauncherCall,
  handle: (request: CniRequest) => Promise<CniResponse>,
): Promise<Buffer> {
  const { exitCode, output } = await runPlugin(env, stdin, {
    ask: async (_socket, request) => ok(await handle(request)),
    promiseDeletion: () => {
      throw new Error('an agent that answers makes promises itself');
    },
  });
  const document = output === null ? '' : `${JSON.stringify(output)}\n`;
  return Buffer.from(`${exitCode} ${Buffer.byteLength(document)}\n${document}`);
}
