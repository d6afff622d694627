/**
 * The one module that calls C: libc and libuv by `node:ffi`, out of the running process image.
 *
 * A wrong pointer here kills the process, so nothing outside this file sees a pointer: what it exports
 * takes and returns numbers, strings and Buffers, and throws {@link KernelError} with the errno.
 *
 * Why errno is right although JavaScript runs between the call and the reading of it: the address is
 * per thread and taken once, libffi returns straight into V8, and no libc function sets errno when it
 * succeeds at what V8 does meanwhile (allocation).
 */
import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { dlopen, getCurrentEventLoop, getInt32, getRawPointer } from 'node:ffi';
import { KernelError } from './errors.ts';

const { lib, functions: c } = dlopen(null, {
  __errno_location: { arguments: [], return: 'pointer' },
  calloc: { arguments: ['u64', 'u64'], return: 'pointer' },
  free: { arguments: ['pointer'], return: 'void' },
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
  recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
  sendto: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'], return: 'i64' },
  dup: { arguments: ['i32'], return: 'i32' },
  ioctl: { arguments: ['i32', 'u64', 'pointer'], return: 'i32' },
  setns: { arguments: ['i32', 'i32'], return: 'i32' },
  unshare: { arguments: ['i32'], return: 'i32' },
  mount: { arguments: ['string', 'string', 'string', 'u64', 'pointer'], return: 'i32' },
  umount2: { arguments: ['string', 'i32'], return: 'i32' },
  flock: { arguments: ['i32', 'i32'], return: 'i32' },
  uv_handle_size: { arguments: ['i32'], return: 'u64' },
  uv_poll_init: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  uv_poll_start: { arguments: ['pointer', 'i32', 'pointer'], return: 'i32' },
  uv_poll_stop: { arguments: ['pointer'], return: 'i32' },
  uv_close: { arguments: ['pointer', 'pointer'], return: 'void' },
  uv_unref: { arguments: ['pointer'], return: 'void' },
});

const errnoLocation = c.__errno_location();

function check(result: number, call: string): number {
  if (result < 0) throw new KernelError(getInt32(errnoLocation), call);
  return result;
}

export const CLONE_NEWNET = 0x40000000;

/** Moves the calling thread into the namespace that `fd` names. Throws {@link KernelError}. */
export function setns(fd: number, type: number): void {
  check(c.setns(fd, type), 'setns');
}

/** Gives the calling thread new namespaces of its own. Throws {@link KernelError}. */
export function unshare(flags: number): void {
  check(c.unshare(flags), 'unshare');
}

export const MS_BIND = 0x1000;
export const MS_REC = 0x4000;
export const MS_SHARED = 1 << 20;

/** mount(2) without data. Throws {@link KernelError}. */
export function mount(source: string, target: string, type: string, flags: number): void {
  check(c.mount(source, target, type, BigInt(flags), null), `mount ${target}`);
}

/** Detaches whatever is mounted at `target`. Throws {@link KernelError}, EINVAL where nothing is mounted. */
export function unmount(target: string): void {
  const MNT_DETACH = 2;
  check(c.umount2(target, MNT_DETACH), `umount ${target}`);
}

/** Takes the exclusive flock(2) of an open file, waiting for it. It goes with the file descriptor. */
export function lockExclusive(fd: number): void {
  const LOCK_EX = 2;
  let result = c.flock(fd, LOCK_EX);
  while (result < 0 && getInt32(errnoLocation) === constants.errno.EINTR) result = c.flock(fd, LOCK_EX);
  check(result, 'flock');
}

const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;

/** Opens a bound netlink socket in the thread's network namespace, where it stays. Throws {@link KernelError}. */
export function netlinkSocket(protocol: number): number {
  return openSocket(AF_NETLINK, SOCK_RAW, protocol);
}

/** Opens a socket in the thread's network namespace, where it stays. Throws {@link KernelError}. */
export function openSocket(family: number, type: number, protocol: number): number {
  return check(c.socket(family, type | SOCK_CLOEXEC, protocol), 'socket');
}

/**
 * Sends one datagram, unless it would have to wait.
 *
 * @param to  a struct sockaddr of the socket's family
 * @throws KernelError: EAGAIN when the socket's buffer is full, EPERM when a firewall of this host drops it
 */
export function sendNow(fd: number, bytes: Buffer, to: Buffer): void {
  const MSG_DONTWAIT = 0x40;
  check(Number(c.sendto(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT, to, to.length)), 'sendto');
}

/** struct sockaddr_nl with pid 0: the kernel picks the port. */
export function bindNetlink(fd: number): void {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  check(c.bind(fd, address, address.length), 'bind');
}

/** dup(2). The caller closes it. Throws {@link KernelError}, EMFILE where there are too many. */
export function duplicate(fd: number): number {
  return check(c.dup(fd), 'dup');
}

/** setsockopt(2) with an int value. Throws {@link KernelError}. */
export function setSocketOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  setSocketOptionBytes(fd, level, name, bytes);
}

/** setsockopt(2) with a struct. Throws {@link KernelError}. */
export function setSocketOptionBytes(fd: number, level: number, name: number, value: Buffer): void {
  check(c.setsockopt(fd, level, name, value, value.length), 'setsockopt');
}

/** Asks for socket buffers beyond the system's limit where we may, up to the limit where we may not. */
export function setBufferSizes(fd: number, receive: number, send: number): void {
  const SO_SNDBUF = 7;
  const SO_RCVBUF = 8;
  const SO_SNDBUFFORCE = 32;
  const SO_RCVBUFFORCE = 33;
  for (const [force, plain, size] of [
    [SO_RCVBUFFORCE, SO_RCVBUF, receive],
    [SO_SNDBUFFORCE, SO_SNDBUF, send],
  ] as const) {
    try {
      setSocketOption(fd, SOL_SOCKET, force, size);
    } catch {
      setSocketOption(fd, SOL_SOCKET, plain, size);
    }
  }
}

/**
 * ioctl(2) of a socket with a struct ifreq: the name of an interface, and the address of `data`, which the kernel reads and
 * writes.
 *
 * @throws KernelError
 */
export function interfaceControl(fd: number, request: number, name: string, data: Buffer): void {
  const IFNAMSIZ = 16;
  const ifreq = Buffer.alloc(40);
  ifreq.write(name, 0, IFNAMSIZ - 1);
  ifreq.writeBigUInt64LE(getRawPointer(data), IFNAMSIZ);
  check(c.ioctl(fd, BigInt(request), ifreq), `ioctl ${name}`);
}

/**
 * Takes one datagram that is already there.
 *
 * @param into  filled from its start; a longer datagram is cut, which the returned length tells
 * @returns the datagram's full length, or undefined when none is waiting
 * @throws KernelError, with ENOBUFS when the socket lost datagrams since the last call
 */
export function receiveNow(fd: number, into: Buffer): number | undefined {
  const MSG_DONTWAIT = 0x40;
  const MSG_TRUNC = 0x20;
  for (;;) {
    const length = Number(c.recv(fd, into, BigInt(into.length), MSG_DONTWAIT | MSG_TRUNC));
    if (length >= 0) return length;
    const errno = getInt32(errnoLocation);
    if (errno === constants.errno.EAGAIN) return undefined;
    if (errno !== constants.errno.EINTR) throw new KernelError(errno, 'recv');
  }
}

const UV_POLL = 8;
const UV_READABLE = 1;
const pollSize = c.uv_handle_size(UV_POLL);
/** Stops every poll before the environment is torn down: libuv must not call into a dead JavaScript world. */
const livePolls = new Set<() => void>();
process.on('exit', () => {
  for (const stop of livePolls) stop();
});

/**
 * Calls `ready` on the event loop whenever `fd` has something to read. Does not keep the process alive.
 *
 * Main thread only. `ready` runs inside libuv's callback, where promise jobs wait: hand over with setImmediate. It must not throw.
 *
 * @returns stops the poll; must be called before the fd is closed
 */
export function pollReadable(fd: number, ready: () => void): () => void {
  // Terminating a worker runs no exit handler, and Node aborts the process over the handle left in its loop.
  if (!isMainThread) throw new Error('pollReadable: only on the main thread');
  const handle = c.calloc(1n, pollSize);
  const initialised = c.uv_poll_init(getCurrentEventLoop(), handle, fd);
  if (initialised < 0) {
    c.free(handle);
    throw new KernelError(-initialised, 'uv_poll_init');
  }
  const callback = lib.registerCallback(
    { arguments: ['pointer', 'i32', 'i32'], return: 'void' },
    (_handle, status) => {
      // libuv stops a poll when the socket has an error to tell, such as ENOBUFS; reading it clears it.
      if (status < 0 && livePolls.has(stop)) c.uv_poll_start(handle, UV_READABLE, callback);
      ready();
    },
  );
  c.uv_unref(handle);
  const stop = () => {
    if (!livePolls.delete(stop)) return;
    c.uv_poll_stop(handle);
    // free() itself is the close callback: libuv's last touch of a handle is calling it, and no JavaScript is needed.
    c.uv_close(handle, c.free.pointer);
    // Not from within the callback itself, which node:ffi forbids; after uv_poll_stop it is never called again.
    setImmediate(() => lib.unregisterCallback(callback));
  };
  livePolls.add(stop);
  const started = c.uv_poll_start(handle, UV_READABLE, callback);
  if (started < 0) {
    stop();
    throw new KernelError(-started, 'uv_poll_start');
  }
  return stop;
}
