/**
 * The text that WireGuard's implementations outside of the kernel speak on their socket. Pure.
 *
 * ```
 * request   ("set=1" | "get=1") LF *(key "=" value LF) LF
 * answer    *(key "=" value LF) "errno=" number LF LF
 * ```
 * Keys of cryptography are in hexadecimal; what follows a `public_key` is about that peer.
 *
 * @see https://www.wireguard.com/xplatform/
 */
import { Address, Prefix } from '../../addr/index.ts';
import type { DeviceChange, DeviceState, Endpoint, Key, PeerChange, PeerState } from './model.ts';

export const GET = 'get=1\n\n';

export function formatChange({ privateKey, port, mark, peers }: DeviceChange): string {
  const lines = [
    'set=1',
    ...(privateKey === undefined ? [] : [`private_key=${toHex(privateKey)}`]),
    ...(port === undefined ? [] : [`listen_port=${port}`]),
    ...(mark === undefined ? [] : [`fwmark=${mark}`]),
    ...peers.flatMap(formatPeer),
  ];
  return `${lines.join('\n')}\n\n`;
}

function formatPeer({ publicKey, remove, endpoint, keepalive, allowed }: PeerChange): readonly string[] {
  const key = `public_key=${toHex(publicKey)}`;
  if (remove === true) return [key, 'remove=true'];
  return [
    key,
    ...(endpoint === undefined ? [] : [`endpoint=${formatEndpoint(endpoint)}`]),
    ...(keepalive === undefined ? [] : [`persistent_keepalive_interval=${keepalive}`]),
    ...(allowed === undefined
      ? []
      : ['replace_allowed_ips=true', ...allowed.map((each) => `allowed_ip=${each.toString()}`)]),
  ];
}

function formatEndpoint({ address, port }: Endpoint): string {
  return address.version === 4 ? `${address.toString()}:${port}` : `[${address.toString()}]:${port}`;
}

type Growing<T> = { -readonly [Name in keyof T]: T[Name] };

/**
 * @returns undefined when it is no whole answer yet
 * @throws RangeError on what is no answer at all
 */
export function parseAnswer(
  text: string,
): { readonly errno: number; readonly state: DeviceState } | undefined {
  if (!text.endsWith('\n\n')) return undefined;
  const device: Growing<Omit<DeviceState, 'peers'>> = { privateKey: undefined, port: 0, mark: 0 };
  const peers: Growing<PeerState>[] = [];
  let errno: number | undefined;
  for (const line of text.trimEnd().split('\n')) {
    const at = line.indexOf('=');
    if (at < 0) throw new RangeError(`WireGuard said ${JSON.stringify(line)}`);
    const name = line.slice(0, at);
    const value = line.slice(at + 1);
    const peer = peers.at(-1);
    if (name === 'errno') errno = Math.abs(Number(value));
    else if (name === 'private_key') device.privateKey = fromHex(value) || undefined;
    else if (name === 'listen_port') device.port = Number(value);
    else if (name === 'fwmark') device.mark = Number(value);
    else if (name === 'public_key') peers.push(unknownPeer(fromHex(value)));
    else if (peer !== undefined) readPeer(peer, name, value);
  }
  return errno === undefined ? undefined : { errno, state: { ...device, peers } };
}

function unknownPeer(publicKey: Key): Growing<PeerState> {
  return { publicKey, endpoint: undefined, keepalive: 0, allowed: [], handshakeAt: 0, received: 0, sent: 0 };
}

function readPeer(peer: Growing<PeerState>, name: string, value: string): void {
  if (name === 'endpoint') peer.endpoint = parseEndpoint(value);
  else if (name === 'persistent_keepalive_interval') peer.keepalive = Number(value);
  else if (name === 'last_handshake_time_sec') peer.handshakeAt = Number(value);
  else if (name === 'rx_bytes') peer.received = Number(value);
  else if (name === 'tx_bytes') peer.sent = Number(value);
  else if (name === 'allowed_ip') {
    const prefix = Prefix.parse(value);
    if (prefix !== undefined) peer.allowed = [...peer.allowed, prefix];
  }
}

function parseEndpoint(text: string): Endpoint | undefined {
  const at = text.lastIndexOf(':');
  const address = Address.parse(
    text
      .slice(0, at)
      .replace(/^\[(.*)\]$/, '$1')
      .replace(/%.*/, ''),
  );
  return address === undefined ? undefined : { address, port: Number(text.slice(at + 1)) };
}

function toHex(key: Key): string {
  return Buffer.from(key, 'base64').toString('hex');
}

/** All zero is no key. */
function fromHex(text: string): Key {
  return /^0*$/.test(text) ? '' : Buffer.from(text, 'hex').toString('base64');
}
