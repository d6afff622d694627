/** WireGuard in the kernel, over generic netlink. */
import { constants } from 'node:os';
import { KernelError } from '../errors.ts';
import { MessageWriter } from '../netlink/message.ts';
import { RequestSocket } from '../netlink/socket.ts';
import type { DeviceChange, DeviceState, WireGuardDoor } from './model.ts';
import {
  decodeDevice,
  decodeFamily,
  encodeDeviceChange,
  encodeDeviceGet,
  encodeFamilyGet,
  joinParts,
} from './netlink-codec.ts';

const NETLINK_GENERIC = 16;

export class KernelWireGuard implements WireGuardDoor {
  readonly #socket: RequestSocket;
  #family: number | undefined;

  /** @param netns  path of a network namespace; default: ours */
  constructor(netns?: string) {
    this.#socket = new RequestSocket(netns, NETLINK_GENERIC);
  }

  async read(device: string): Promise<DeviceState> {
    const family = await this.#id();
    const parts = await this.#socket.dump(
      `WG_CMD_GET_DEVICE ${device}`,
      (w) => encodeDeviceGet(w, family, device),
      (bytes, { start, end }) => decodeDevice(bytes, start, end),
    );
    const state = joinParts(parts);
    if (state === undefined) throw new KernelError(constants.errno.ENODEV, `WG_CMD_GET_DEVICE ${device}`);
    return state;
  }

  async change(device: string, change: DeviceChange): Promise<void> {
    const writer = new MessageWriter();
    encodeDeviceChange(writer, await this.#id(), device, change);
    for (const { errno, text } of await this.#socket.batch(writer))
      if (errno !== 0) throw new KernelError(errno, `WG_CMD_SET_DEVICE ${device}`, text);
  }

  close(): void {
    this.#socket.close();
  }

  /** @throws KernelError, ENOENT while the kernel has no such family */
  async #id(): Promise<number> {
    if (this.#family !== undefined) return this.#family;
    await this.#socket.request(
      'CTRL_CMD_GETFAMILY wireguard',
      (w) => encodeFamilyGet(w, 'wireguard'),
      (bytes, { start, end }) => (this.#family = decodeFamily(bytes, start, end)),
    );
    if (this.#family === undefined)
      throw new KernelError(constants.errno.ENOENT, 'CTRL_CMD_GETFAMILY wireguard');
    return this.#family;
  }
}
