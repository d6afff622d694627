/**
 * A peer that sends rubbish, from a raw socket, to a speaker that also has a session with a real BIRD: each gets the
 * NOTIFICATION that the RFC names, the log says what was wrong, and the other session does not notice.
 */
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { Peer } from '../../bgpd/speaker/peer.ts';
import type { SessionConfig } from '../../bgpd/speaker/session.ts';
import {
  MessageFramer,
  decodeMessage,
  encodeKeepalive,
  encodeOpen,
  type Capability,
} from '../../bgpd/wire/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Lab, type LinkEnd } from './peers/lab.ts';
import { PoplinNode, dialFrom, type Recorder } from './peers/poplin.ts';

const COMMON = {
  peerPort: 179,
  localAsn: 65101,
  routerId: 0x0a00_0001,
  holdSeconds: 90,
  connectRetrySeconds: 5,
  families: ['ipv4-unicast', 'ipv6-unicast'],
} as const;
const GOOD: SessionConfig = {
  ...COMMON,
  name: 'good',
  peerAddress: '10.0.0.2',
  peerAsn: 65001,
  passive: false,
};
const BAD: SessionConfig = { ...COMMON, name: 'bad', peerAddress: '10.0.1.2', peerAsn: 65002, passive: true };

const CAPABILITIES: readonly Capability[] = [
  { code: 1, afi: 1, safi: 1 },
  { code: 65, asn: 65002 },
];

function open(
  change: {
    asn?: number;
    holdSeconds?: number;
    routerId?: number;
    capabilities?: readonly Capability[];
  } = {},
): Uint8Array {
  return encodeOpen({
    version: 4,
    asn: 65002,
    holdSeconds: 90,
    routerId: 0x0a00_0102,
    capabilities: CAPABILITIES,
    ...change,
  });
}

/** The message with octets replaced from an offset on. */
function patched(message: Uint8Array, at: number, ...octets: readonly number[]): Uint8Array {
  const copy = message.slice();
  copy.set(octets, at);
  return copy;
}

function raw(type: number, body: readonly number[]): Uint8Array {
  const length = 19 + body.length;
  return Uint8Array.of(...Array.from({ length: 16 }, () => 255), length >> 8, length & 255, type, ...body);
}

/** An OPEN with these optional parameters, lengths as given. */
function withParameters(length: number, ...parameters: readonly number[]): Uint8Array {
  return raw(1, [4, 0xfd, 0xea, 0, 90, 10, 0, 1, 2, length, ...parameters]);
}

interface Case {
  readonly it: string;
  readonly sends: readonly Uint8Array[];
  readonly answer: readonly [code: number, subcode: number, ...data: readonly number[]];
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    it: 'a marker that is not all ones',
    sends: [patched(open(), 15, 0)],
    answer: [1, 1],
    says: /Connection Not Synchronized/,
  },
  {
    it: 'a message shorter than a header',
    sends: [patched(open(), 16, 0, 18)],
    answer: [1, 2, 0, 18],
    says: /Bad Message Length/,
  },
  {
    it: 'an OPEN longer than 4096 octets',
    sends: [patched(open(), 16, 0x10, 1)],
    answer: [1, 2, 0x10, 1],
    says: /Bad Message Length/,
  },
  {
    it: 'a type that nobody knows',
    sends: [patched(open(), 18, 9)],
    answer: [1, 3, 9],
    says: /Bad Message Type/,
  },
  { it: 'BGP version 3', sends: [patched(open(), 19, 3)], answer: [2, 1, 0, 4], says: /version 3/ },
  {
    it: 'the wrong AS number',
    sends: [open({ asn: 65009, capabilities: [] })],
    answer: [2, 2, 0xfd, 0xf1],
    says: /AS 65009, AS 65002 is configured/,
  },
  {
    it: 'AS number 0',
    sends: [open({ capabilities: [{ code: 65, asn: 0 }] })],
    answer: [2, 2],
    says: /AS number 0 is reserved/,
  },
  {
    it: 'BGP Identifier 0.0.0.0',
    sends: [open({ routerId: 0 })],
    answer: [2, 3],
    says: /BGP Identifier is 0\.0\.0\.0/,
  },
  {
    it: 'a hold time of 2 seconds',
    sends: [open({ holdSeconds: 2 })],
    answer: [2, 6],
    says: /hold time 2 s/,
  },
  {
    it: 'an unknown optional parameter',
    sends: [withParameters(3, 1, 1, 0)],
    answer: [2, 4],
    says: /optional parameter of type 1/,
  },
  {
    it: 'optional parameters cut short',
    sends: [withParameters(255)],
    answer: [2, 0],
    says: /claim 255 octets, 0 follow/,
  },
  {
    it: 'extended optional parameters cut short (RFC 9072)',
    sends: [withParameters(255, 255)],
    answer: [2, 0],
    says: /optional parameters/,
  },
  {
    it: 'a four-octet AS capability of length 0',
    sends: [withParameters(4, 2, 2, 65, 0)],
    answer: [2, 0],
    says: /capability 65 has 0 octets/,
  },
  {
    it: 'a capability past its parameter',
    sends: [withParameters(4, 2, 2, 1, 4)],
    answer: [2, 0],
    says: /capability 1 runs past/,
  },
  {
    it: 'no family in common',
    sends: [
      open({
        capabilities: [
          { code: 1, afi: 25, safi: 70 },
          { code: 65, asn: 65002 },
        ],
      }),
    ],
    answer: [2, 7, 1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1],
    says: /no address family in common/,
  },
  {
    it: 'a KEEPALIVE before any OPEN',
    sends: [encodeKeepalive()],
    answer: [5, 1],
    says: /KEEPALIVE before OPEN/,
  },
  {
    it: 'an UPDATE right after OPEN',
    sends: [open(), raw(2, [0, 0, 0, 0])],
    answer: [5, 2],
    says: /UPDATE before KEEPALIVE/,
  },
  {
    it: 'an OPEN in an established session',
    sends: [open(), encodeKeepalive(), open()],
    answer: [5, 3],
    says: /OPEN in an established session/,
  },
  {
    it: 'an UPDATE whose lengths do not fit',
    sends: [open(), encodeKeepalive(), raw(2, [0, 200, 0, 0])],
    answer: [3, 1],
    says: /Withdrawn Routes Length/,
  },
  {
    it: 'an NLRI of 33 bits',
    sends: [open(), encodeKeepalive(), raw(2, [0, 0, 0, 0, 33, 1, 2, 3, 4, 5])],
    answer: [3, 10],
    says: /cannot be read/,
  },
];

function at(node: string, face: string, address: string): LinkEnd {
  return { node, interface: face, addresses: [address] };
}

describeOnKernel('a peer that sends rubbish', function () {
  this.timeout(400_000);
  let lab: Lab;
  let node: PoplinNode;
  let good: { readonly peer: Peer; readonly recorder: Recorder };

  before(async () => {
    lab = new Lab();
    for (const name of ['p', 'r', 'x']) await lab.node(name);
    await lab.link(at('p', 'eth0', '10.0.0.1/30'), at('r', 'eth0', '10.0.0.2/30'));
    await lab.link(at('p', 'eth1', '10.0.1.1/30'), at('x', 'eth0', '10.0.1.2/30'));
    node = new PoplinNode(lab, 'p');
    await node.listener.listen();
    const bird = new Bird(lab, 'r');
    await bird.start(`router id 10.0.0.2;
protocol device { }
protocol bgp poplin { local 10.0.0.2 as 65001; neighbor 10.0.0.1 as 65101; connect retry time 1;
  ipv4 { import all; export all; }; ipv6 { import all; export all; }; }
`);
    good = node.peer(GOOD);
    good.peer.start();
    await eventually(
      'the good session',
      () => good.peer.state,
      (state) => state === 'Established',
    );
  });

  after(async () => {
    node.close();
    await lab.close();
  });

  afterEach(() => {
    expect(good.peer.state).to.equal('Established');
    expect(good.recorder.downs).to.deep.equal([]);
  });

  for (const { it: title, sends, answer, says } of CASES) {
    it(title, async () => {
      const bad = node.peer(BAD);
      bad.peer.start();
      const [code, subcode, ...data] = answer;
      const got = await converse(dialFrom(lab.netns('x'))({ address: '10.0.1.1', port: 179 }), sends);
      expect(got.closed, 'the connection is closed').to.equal(true);
      expect(got.notification).to.deep.equal({
        type: 'notification',
        code,
        subcode,
        data: Uint8Array.from(data),
      });
      expect(bad.peer.lastError).to.match(says);
      expect(node.lines.some((line) => line.startsWith('bad: ') && says.test(line))).to.equal(true);
      bad.peer.stop();
    });
  }

  it('a hundred connections at once, each cut after its OPEN, are shed', async () => {
    const bad = node.peer(BAD);
    bad.peer.start();
    const lines = node.lines.length;
    const dial = dialFrom(lab.netns('x'));
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = dial({ address: '10.0.1.1', port: 179 });
        socket.on('error', () => undefined);
        socket.write(open());
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.destroy();
      }),
    );
    await eventually(
      'all gone',
      () => bad.peer.state,
      (state) => state === 'Active' || state === 'Idle',
    );
    expect(node.lines.length - lines, 'log lines').to.be.below(30);
    bad.peer.stop();
  });

  it('a stray connection beside an established session harms nothing', async () => {
    const got = await converse(dialFrom(lab.netns('r'))({ address: '10.0.0.1', port: 179 }), [
      patched(open(), 19, 3),
    ]);
    expect(got.notification).to.deep.include({ code: 2, subcode: 1 });
    expect(good.peer.state).to.equal('Established');
  });

  it('a stranger is closed without a word', async () => {
    const got = await converse(dialFrom(lab.netns('p'))({ address: '127.0.0.1', port: 179 }), [open()]);
    expect(got).to.deep.equal({ closed: true, notification: undefined });
  });
});

/** Sends, and reads to the end: the NOTIFICATION if one came. */
async function converse(
  socket: Socket,
  sends: readonly Uint8Array[],
): Promise<{ readonly closed: boolean; readonly notification: unknown }> {
  const framer = new MessageFramer();
  let notification: unknown;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    framer.push(chunk, (bytes) => {
      const decoded = decodeMessage(bytes, undefined);
      if (decoded.ok && decoded.message?.type === 'notification') notification = decoded.message;
      return true;
    });
  });
  for (const message of sends) socket.write(message);
  const closed = await Promise.race([
    new Promise<boolean>((resolve) => socket.once('close', () => resolve(true))),
    new Promise<boolean>((resolve) => setTimeout(resolve, 60_000, false)),
  ]);
  socket.destroy();
  return { closed, notification };
}
