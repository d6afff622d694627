/**
 * What an interface leaves to its hardware, as `ethtool -K` sets it: by ioctl, since the kernels that need it most know no
 * netlink for it (before 5.8).
 */
import { AF_INET } from './abi.ts';
import { closeSync } from 'node:fs';
import { isKernelError } from './errors.ts';
import { interfaceControl, openSocket, SOCK_DGRAM } from './libc.ts';
import { inNamespace } from './netns.ts';

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;

/**
 * Whether checksums of outgoing packets are left to the hardware (`tx-checksumming`). Undefined where the interface does not
 * know the question, or is gone.
 *
 * @param netns  path of its network namespace; default: ours
 * @throws KernelError
 */
export function transmitChecksums(netns: string | undefined, name: string): boolean | undefined {
  return ask(netns, name, ETHTOOL_GTXCSUM, 0);
}

/** False where the interface cannot, or is gone. @throws KernelError */
export function setTransmitChecksums(netns: string | undefined, name: string, on: boolean): boolean {
  return ask(netns, name, ETHTOOL_STXCSUM, on ? 1 : 0) !== undefined;
}

function anySocket(): number {
  return openSocket(AF_INET, SOCK_DGRAM, 0);
}

function ask(netns: string | undefined, name: string, command: number, value: number): boolean | undefined {
  const fd = netns === undefined ? anySocket() : inNamespace(netns, anySocket);
  const ethtool = Buffer.alloc(8);
  ethtool.writeUInt32LE(command, 0);
  ethtool.writeUInt32LE(value, 4);
  try {
    interfaceControl(fd, SIOCETHTOOL, name, ethtool);
    return ethtool.readUInt32LE(4) !== 0;
  } catch (error) {
    if (isKernelError(error, 'EOPNOTSUPP', 'ENODEV')) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
