/**
 * WireGuard as a process, for kernels without it: Debian's wireguard-go, a TUN device and its socket under
 * /var/run/wireguard, where `wg show` looks too. The process lives by itself: who started it may die and be born again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import type { Millis } from '../../../clock/clock.ts';
import { KernelError } from '../errors.ts';
import type { DeviceChange, DeviceState, WireGuardDoor } from './model.ts';
import { formatChange, GET, parseAnswer } from './uapi-codec.ts';

const PROGRAM = 'wireguard-go';
const FOLDERS: readonly string[] = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/usr/local/sbin'];
const SOCKETS = '/var/run/wireguard';
const PATIENCE: Millis = 10_000;

/** Where the program is; undefined where it is not installed. */
export function userspaceProgram(): string | undefined {
  return FOLDERS.map((folder) => `${folder}/${PROGRAM}`).find((path) => existsSync(path));
}

/**
 * Makes the device, and returns when it can be spoken to.
 *
 * @param netns  path of the namespace it is for; default: ours
 * @throws KernelError with what the program said
 */
export async function startUserspace(program: string, device: string, netns?: string): Promise<void> {
  // Of one that was killed; nobody listens there.
  if (!(await answers(device))) removeSocket(device);
  const command = [...(netns === undefined ? [] : ['nsenter', `--net=${netns}`]), program, device];
  const [file = program, ...args] = command;
  // A session of its own: what ends its starter must not end it. It goes to the background by itself once it is ready.
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
  const [code] = (await once(child, 'exit')) as [number | null];
  child.stderr.destroy();
  if (code !== 0) throw new KernelError(constants.errno.EIO, `${PROGRAM} ${device}`, lastLine(words));
}

function removeSocket(device: string): void {
  try {
    unlinkSync(socketOf(device));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function lastLine(words: string): string {
  return words.trim().split('\n').at(-1) ?? '';
}

function socketOf(device: string): string {
  return `${SOCKETS}/${device}.sock`;
}

/** Whether a process holds the device and answers. */
export async function answers(device: string): Promise<boolean> {
  try {
    await ask(device, GET);
    return true;
  } catch {
    return false;
  }
}

export const userspace: WireGuardDoor = {
  read: (device) => ask(device, GET),
  change: async (device: string, change: DeviceChange) => {
    await ask(device, formatChange(change));
  },
};

function ask(device: string, request: string): Promise<DeviceState> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketOf(device) });
    let text = '';
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(PATIENCE, () =>
      fail(new KernelError(constants.errno.ETIMEDOUT, `${PROGRAM} ${device}`)),
    );
    socket.once('error', () => fail(new KernelError(constants.errno.ENODEV, `${PROGRAM} ${device}`)));
    socket.once('end', () => fail(new KernelError(constants.errno.EPIPE, `${PROGRAM} ${device}`)));
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const answer = text.length > 1 ? parseAnswer(text) : undefined;
      if (answer === undefined) return;
      if (answer.errno !== 0) {
        fail(new KernelError(answer.errno, `${PROGRAM} ${device}`));
        return;
      }
      socket.destroy();
      resolve(answer.state);
    });
    socket.write(request);
  });
}
