/** Interfaces of one network namespace: found, removed together, made with all that belongs to them in one send. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { isKernelError, KernelError } from '../errors.ts';
import {
  decodeLink,
  encodeGroupDelete,
  encodeLinkChange,
  encodeLinkDump,
  encodeLinkGet,
  type Link,
  RTM_NEWLINK,
} from './link.ts';
import { MessageWriter } from './message.ts';
import { BATCH } from './requests.ts';
import type { RequestSocket } from './socket.ts';
import { describeStep, encodeStep, type Step } from './steps.ts';

/** "popl": nobody else's group of interfaces. Who is in it is about to go. */
const LEAVING = 0x706f706c;

export function listLinks(socket: RequestSocket): Promise<Link[]> {
  return socket.dump('RTM_GETLINK', encodeLinkDump, (bytes, { start, end }) => decodeLink(bytes, start, end));
}

/** Undefined when there is none. */
export async function getLink(
  socket: RequestSocket,
  nameOrIndex: string | number,
): Promise<Link | undefined> {
  let link: Link | undefined;
  try {
    await socket.request(
      `RTM_GETLINK ${nameOrIndex}`,
      (w) => encodeLinkGet(w, nameOrIndex),
      (bytes, { type, start, end }) => {
        if (type === RTM_NEWLINK) link = decodeLink(bytes, start, end);
      },
    );
  } catch (error) {
    if (!isKernelError(error, 'ENODEV')) throw error;
  }
  return link;
}

/** @throws KernelError, ENODEV when there is none */
export async function linkIndex(socket: RequestSocket, nameOrIndex: string | number): Promise<number> {
  if (typeof nameOrIndex === 'number') return nameOrIndex;
  const link = await getLink(socket, nameOrIndex);
  if (link === undefined) throw new KernelError(constants.errno.ENODEV, `interface ${nameOrIndex}`);
  return link.index;
}

/** See `Netlink.deleteLinks`. */
export async function deleteLinks(socket: RequestSocket, names: readonly string[]): Promise<boolean[]> {
  const there: boolean[] = [];
  for (let at = 0; at < names.length; at += BATCH) {
    const part = names.slice(at, at + BATCH);
    const writer = new MessageWriter(64 * part.length);
    for (const name of part) encodeLinkChange(writer, name, { group: LEAVING });
    encodeGroupDelete(writer, LEAVING);
    for (const [i, { errno, text }] of (await socket.batch(writer)).entries()) {
      if (errno === 0 || errno === constants.errno.ENODEV) {
        if (i < part.length) there.push(errno === 0);
      } else throw new KernelError(errno, `RTM_DELLINK ${part[i] ?? `group of ${part.join(', ')}`}`, text);
    }
  }
  return there;
}

/** See `Netlink.perform`. */
export async function perform(socket: RequestSocket, steps: readonly Step[]): Promise<Link[]> {
  const writer = new MessageWriter(128 * steps.length);
  for (const step of steps) encodeStep(writer, step);
  const links: Link[] = [];
  const verdicts = await socket.batch(writer, (bytes, { type, start, end }) => {
    if (type === RTM_NEWLINK) links.push(decodeLink(bytes, start, end));
  });
  for (const [i, { errno, text }] of verdicts.entries()) {
    const step = steps[i];
    if (errno !== 0 && step !== undefined) throw new KernelError(errno, describeStep(step), text);
  }
  return links;
}

/** Holds the namespace open while the kernel is told its file descriptor. */
export async function withNamespace(
  path: string | undefined,
  use: (fd: number | undefined) => Promise<void>,
): Promise<void> {
  const fd = path === undefined ? undefined : openSync(path, 'r');
  try {
    await use(fd);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
