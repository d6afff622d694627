/** What is said to WireGuard, by either door, and what comes of a difference. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../addr/index.ts';
import { MessageWriter, splitDatagram } from '../netlink/message.ts';
import {
  changeBetween,
  type DeviceChange,
  type DeviceState,
  type DeviceWish,
  type PeerChange,
} from './model.ts';
import { decodeDevice, encodeDeviceChange, joinParts } from './netlink-codec.ts';
import { formatChange, parseAnswer } from './uapi-codec.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(text);
const prefix = (text: string) => Prefix.parse(text) ?? expect.fail(text);
const key = (fill: number) => Buffer.alloc(32, fill).toString('base64');
const FAMILY = 30;

const anyKey = fc.integer({ min: 1, max: 6 }).map(key);
const anyPrefix = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 16, max: 32 }))
    .map(([net, length]) => Prefix.of(address(`10.0.${net}.0`), length)),
  fc.integer({ min: 0, max: 0xffff }).map((net) => prefix(`fd00:${net.toString(16)}::/64`)),
);
const anyEndpoint = fc.record({
  address: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1').map(address),
  port: fc.integer({ min: 1, max: 0xffff }),
});
const anyPeer = fc.record({
  publicKey: anyKey,
  endpoint: anyEndpoint,
  keepalive: fc.integer({ min: 0, max: 0xffff }),
  allowed: fc.uniqueArray(anyPrefix, { selector: String, maxLength: 8 }),
});
const anyWish: fc.Arbitrary<DeviceWish> = fc.record({
  privateKey: fc.integer({ min: 7, max: 9 }).map(key),
  port: fc.integer({ min: 1, max: 0xffff }),
  mark: fc.constantFrom(0, 0x20_0000),
  peers: fc.uniqueArray(anyPeer, { selector: ({ publicKey }) => publicKey, maxLength: 5 }),
});

/** What a device would do. */
function changed(state: DeviceState, { peers, ...device }: DeviceChange): DeviceState {
  const by = new Map(state.peers.map((peer) => [peer.publicKey, peer]));
  for (const { remove, ...change } of peers) {
    const before = by.get(change.publicKey) ?? {
      endpoint: undefined,
      keepalive: 0,
      allowed: [],
      handshakeAt: 0,
      received: 0,
      sent: 0,
    };
    if (remove === true) by.delete(change.publicKey);
    else by.set(change.publicKey, { ...before, ...change });
  }
  return { ...state, ...device, peers: [...by.values()] };
}

const NOTHING: DeviceState = { privateKey: undefined, port: 0, mark: 0, peers: [] };

describe('WireGuard: the change between what is and what should be', () => {
  it('makes the one of the other, and then there is nothing left to do', () =>
    fc.assert(
      fc.property(anyWish, anyWish, (first, second) => {
        let state = changed(NOTHING, changeBetween(NOTHING, first) ?? { peers: [] });
        expect(changeBetween(state, first)).to.equal(undefined);
        state = changed(state, changeBetween(state, second) ?? { peers: [] });
        expect(changeBetween(state, second)).to.equal(undefined);
      }),
    ));

  it('leaves a peer that is right alone, and lets those go first that go', () => {
    const peer = { publicKey: key(1), endpoint: { address: address('192.0.2.1'), port: 1 }, keepalive: 0 };
    const right = { ...peer, allowed: [prefix('10.0.1.0/26')] };
    const late = { ...peer, publicKey: key(3), allowed: [prefix('10.0.2.0/26')] };
    const wish = { privateKey: key(7), port: 51_820, mark: 0, peers: [right] };
    const state = changed(NOTHING, changeBetween(NOTHING, wish) ?? expect.fail());
    expect(changeBetween(state, { ...wish, peers: [late] })?.peers).to.deep.equal([
      { publicKey: key(1), remove: true },
      late,
    ]);
    expect(changeBetween(state, { ...wish, peers: [right, late] })?.peers).to.deep.equal([late]);
  });
});

describe('WireGuard: the text of its socket', () => {
  it('is as the protocol says', () => {
    const peer: PeerChange = {
      publicKey: key(1),
      endpoint: { address: address('2001:db8::1'), port: 51_821 },
      keepalive: 25,
      allowed: [prefix('10.0.1.0/26'), prefix('fd00::/64')],
    };
    const text = formatChange({
      privateKey: key(7),
      port: 51_820,
      mark: 0x20_0000,
      peers: [{ publicKey: key(2), remove: true }, peer],
    });
    expect(text.split('\n')).to.deep.equal([
      'set=1',
      `private_key=${'07'.repeat(32)}`,
      'listen_port=51820',
      'fwmark=2097152',
      `public_key=${'02'.repeat(32)}`,
      'remove=true',
      `public_key=${'01'.repeat(32)}`,
      'endpoint=[2001:db8::1]:51821',
      'persistent_keepalive_interval=25',
      'replace_allowed_ips=true',
      'allowed_ip=10.0.1.0/26',
      'allowed_ip=fd00::/64',
      '',
      '',
    ]);
  });

  it('is read back, in whatever pieces it comes', () => {
    const text = [
      `private_key=${'07'.repeat(32)}`,
      'listen_port=51820',
      `public_key=${'01'.repeat(32)}`,
      'endpoint=192.0.2.1:51820',
      'last_handshake_time_sec=1700000000',
      'tx_bytes=7',
      'rx_bytes=9',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.1.0/26',
      'protocol_version=1',
      'errno=0',
      '\n',
    ].join('\n');
    for (let end = 1; end < text.length - 1; end++)
      expect(parseAnswer(text.slice(0, end))).to.equal(undefined);
    expect(parseAnswer(text)).to.deep.equal({
      errno: 0,
      state: {
        privateKey: key(7),
        port: 51_820,
        mark: 0,
        peers: [
          {
            publicKey: key(1),
            endpoint: { address: address('192.0.2.1'), port: 51_820 },
            keepalive: 25,
            allowed: [prefix('10.0.1.0/26')],
            handshakeAt: 1_700_000_000,
            received: 9,
            sent: 7,
          },
        ],
      },
    });
    expect(parseAnswer(`private_key=${'0'.repeat(64)}\nerrno=-22\n\n`)).to.deep.include({ errno: 22 });
    expect(() => parseAnswer('nonsense\n\n')).to.throw(RangeError);
  });
});

/** A set and a get have the same attributes: what is written can be read as if the kernel had told it. */
const readBack = (
  change: DeviceChange,
): { readonly state: DeviceState | undefined; readonly messages: number } => {
  const writer = new MessageWriter();
  encodeDeviceChange(writer, FAMILY, 'wireguard.cali', change);
  const bytes = writer.finish(1, true);
  const messages = splitDatagram(bytes, bytes.length);
  expect(messages.every(({ type }) => type === FAMILY)).to.equal(true);
  return {
    messages: messages.length,
    state: joinParts(messages.map(({ start, end }) => decodeDevice(bytes, start, end))),
  };
};

describe('WireGuard: the messages of the kernel', () => {
  it('hold all that is to be changed', () =>
    fc.assert(
      fc.property(anyWish, (wish) => {
        const change = changeBetween(NOTHING, wish) ?? expect.fail();
        const { state = expect.fail() } = readBack(change);
        expect(changeBetween(state, wish)).to.equal(undefined);
      }),
    ));

  it('are several where one would be too long', () => {
    const peers = Array.from(
      { length: 5000 },
      (_, i): PeerChange => ({
        publicKey: Buffer.from(i.toString(16).padStart(64, '0'), 'hex').toString('base64'),
        endpoint: { address: address('2001:db8::1'), port: 51_820 },
        keepalive: 0,
        allowed:
          i === 1
            ? Array.from({ length: 2000 }, (_, n) => prefix(`fd00:${n.toString(16)}::/64`))
            : [prefix(`10.${i >> 8}.${i & 255}.0/26`)],
      }),
    );
    const { state, messages } = readBack({ peers });
    expect(messages).to.be.within(40, 80);
    expect(state?.peers.map(({ allowed }) => allowed.length)).to.deep.equal(
      peers.map(({ allowed }) => allowed?.length),
    );
  });

  it('are, octet by octet, what the kernel’s header files say', () => {
    const writer = new MessageWriter();
    encodeDeviceChange(writer, FAMILY, 'wg0', {
      port: 51_820,
      peers: [
        {
          publicKey: key(1),
          endpoint: { address: address('192.0.2.1'), port: 51_820 },
          allowed: [prefix('10.0.1.0/26')],
        },
      ],
    });
    const hex = [
      '8c000000 1e00 0500 01000000 00000000', // length, family, REQUEST | ACK, sequence, port
      '01 01 0000', // SET_DEVICE, version 1
      '0800 0200 77673000', // IFNAME "wg0"
      '0600 0600 6cca 0000', // LISTEN_PORT 51820
      '6800 0880', // PEERS, nested
      '6400 0080', // the first
      `2400 0100 ${'01'.repeat(32)}`, // PUBLIC_KEY
      '0800 0300 02000000', // FLAGS: REPLACE_ALLOWEDIPS
      '1400 0400 0200 ca6c c0000201 0000000000000000', // ENDPOINT: struct sockaddr_in
      '2000 0980', // ALLOWEDIPS, nested
      '1c00 0080', // the first
      '0600 0100 0200 0000', // FAMILY: AF_INET
      '0800 0200 0a000100', // IPADDR
      '0500 0300 1a 000000', // CIDR_MASK 26
    ];
    expect(writer.finish(1, true).toString('hex')).to.equal(hex.join('').replaceAll(' ', ''));
  });
});
