/** Failures of the kernel and of the tools in front of it, as {@link PoplinError}s that keep the errno. */
import { getSystemErrorMap } from 'node:util';
import { PoplinError } from '../../api/problem.ts';

const descriptions = getSystemErrorMap();

/** Linux has one number for two names, and its manuals use the one that libuv does not. */
const OPERATION_NOT_SUPPORTED = 95;

/** `ENOENT` for 2; `errno 531` for what this system has no name for. */
export function errnoName(errno: number): string {
  if (errno === OPERATION_NOT_SUPPORTED) return 'EOPNOTSUPP';
  return descriptions.get(-errno)?.[0] ?? `errno ${errno}`;
}

/** `no such file or directory` for 2, in libuv's words. */
export function errnoText(errno: number): string {
  return descriptions.get(-errno)?.[1] ?? 'unknown error';
}

/** A system call or netlink request that the kernel refused. */
export class KernelError extends PoplinError {
  /** Positive, as in errno.h. */
  readonly errno: number;
  /** Its name, e.g. `EEXIST`. */
  readonly code: string;
  /** The system call or netlink request, with its object: `setns`, `RTM_NEWLINK cali0123`. */
  readonly call: string;
  /** The kernel's own words, where it gave some (netlink extended acknowledgement). */
  readonly detail: string | undefined;

  constructor(errno: number, call: string, detail?: string) {
    const told = detail === undefined || detail === '' ? errnoText(errno) : `${errnoText(errno)} (${detail})`;
    super([
      {
        code: `KERNEL_${errnoName(errno).replaceAll(' ', '_').toUpperCase()}`,
        what: `${call}: ${errnoName(errno)}, ${told}`,
        remedy: remedyFor(errnoName(errno)),
        value: errno,
      },
    ]);
    this.errno = errno;
    this.code = errnoName(errno);
    this.call = call;
    this.detail = detail;
  }
}

function remedyFor(name: string): string {
  switch (name) {
    case 'EPERM':
    case 'EACCES':
      return 'run as root (CAP_NET_ADMIN and CAP_SYS_ADMIN are needed)';
    case 'EOPNOTSUPP':
    case 'EPROTONOSUPPORT':
    case 'EAFNOSUPPORT':
      return 'this kernel was built without the feature; enable its module or use another kernel';
    case 'ENOENT':
    case 'ENODEV':
      return 'check that the namespace or interface still exists';
    case 'EEXIST':
      return 'remove the existing object or choose another name';
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return 'give the gateway a route first, or mark the next hop onlink';
    default:
      return 'check the arguments against the state that `ip` shows';
  }
}

/** True for a {@link KernelError} with one of these errno names. */
export function isKernelError(error: unknown, ...codes: readonly string[]): error is KernelError {
  return error instanceof KernelError && (codes.length === 0 || codes.includes(error.code));
}
