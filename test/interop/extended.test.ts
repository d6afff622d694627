/**
 * Extended messages (RFC 8654) and extended optional parameters (RFC 9072) with the routers that have them: one route with
 * more communities than 4,096 octets hold goes to BIRD and comes back through it; FRR and we read each other's long OPEN.
 * (Told to write them, FRR 8.4 takes any OPEN for one that has them, so that a session with it cannot come up otherwise.)
 */
import { expect } from 'chai';
import { decodeMessage, encodeOpen, MessageFramer, type OpenMessage } from '../../bgpd/wire/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Fabric, place, type OurSpeaker } from './matrix/fabric.ts';
import { Bird } from './peers/bird.ts';
import { dialFrom } from './peers/poplin.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';

const LEFT = { asn: 64_501, at: place(11) };
const RIGHT = { asn: 64_502, at: place(12) };
const BIRD = place(0x100);
const FRR = place(0x101);
const ROUTER_ASN = 65_010;

/** 6,000 octets. */
const COMMUNITIES = Array.from({ length: 1_500 }, (_, i) => (64_501 << 16) + i);
const LONG = {
  prefix: '10.77.0.0/24',
  attributes: { origin: 'IGP', asPath: [], communities: COMMUNITIES },
} as const;
const SHORT = { prefix: '10.78.0.0/24', attributes: { origin: 'IGP', asPath: [] } } as const;

const birdPeer = ({ asn, at }: typeof LEFT, extended: boolean): string => `protocol bgp {
  local as ${ROUTER_ASN}; neighbor ${at.v4} as ${asn}; passive on; direct; enable extended messages ${extended ? 'on' : 'off'};
  ipv4 { import all; export all; next hop self; };
}
`;

const frrPeer = ({ asn, at }: typeof LEFT): string => ` neighbor ${at.v4} remote-as ${asn}
 neighbor ${at.v4} passive
 neighbor ${at.v4} extended-optional-parameters
`;

describeOnKernel('extended messages and optional parameters', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const bird = new Bird(fabric.lab, 'bird');
  const frr = new Frr(fabric.lab, 'frr');
  let left: OurSpeaker;
  let right: OurSpeaker;

  before(async () => {
    await fabric.open();
    left = await fabric.speaker(LEFT.asn, LEFT.at);
    right = await fabric.speaker(RIGHT.asn, RIGHT.at);
    await fabric.join('bird', BIRD);
    await fabric.join('frr', FRR);
    await Promise.all([
      bird.start(`router id ${BIRD.v4};
protocol device { }
${birdPeer(LEFT, true)}
${birdPeer(RIGHT, true)}
${birdPeer({ ...RIGHT, at: place(13) }, false)}
`),
      frr.start(`frr defaults traditional
router bgp ${ROUTER_ASN}
 bgp router-id ${FRR.v4}
 no bgp ebgp-requires-policy
${frrPeer(LEFT)}
`),
    ]);
    const peers = [{ name: 'bird', address: BIRD.v4, asn: ROUTER_ASN }];
    left.configure(peers, [LONG, SHORT]);
    right.configure(peers, []);
  });

  after(() => fabric.close());

  it('carry a route of 6,000 octets to BIRD and back through it', async () => {
    await Promise.all([established(left, 'bird'), established(right, 'bird')]);
    expect(left.session('bird').negotiated?.extendedMessages).to.equal(true);
    const told = await eventually(
      'the long route in BIRD',
      () => bird.birdc(`show route all ${LONG.prefix}`).catch(() => ''),
      (text) => text.includes('BGP.community'),
    );
    expect(told).to.include('(64501,0)');
    const [route] = await eventually(
      'the long route through BIRD',
      () => right.heard('bird').filter(({ prefix }) => prefix === LONG.prefix),
      (routes) => routes.length === 1,
    );
    expect(route?.communities).to.have.length(COMMUNITIES.length);
  });

  it('are not sent to one that does not know them: it has the short route, and not the long one', async () => {
    const third = await fabric.speaker(RIGHT.asn, place(13));
    third.configure(
      [{ name: 'bird', address: BIRD.v4, asn: ROUTER_ASN }],
      [
        { ...LONG, prefix: '10.87.0.0/24' },
        { ...SHORT, prefix: '10.88.0.0/24' },
      ],
    );
    await established(third, 'bird');
    expect(third.session('bird').negotiated?.extendedMessages).to.equal(false);
    await eventually(
      'the short route in BIRD',
      () => bird.birdc('show route 10.88.0.0/24').catch(() => ''),
      (text) => text.includes('10.88.0.0/24'),
    );
    expect(await bird.birdc('show route 10.87.0.0/24').catch(() => 'none')).to.not.include('10.87.0.0/24 ');
    expect(third.session('bird').state).to.equal('Established');
  });

  it('of optional parameters: FRR reads an OPEN of ours that needs them, and we read the one it writes so', async () => {
    const messages: Uint8Array[] = [];
    const framer = new MessageFramer(4096);
    const dial = dialFrom(fabric.lab.netns('p'));
    const socket = dial({ address: FRR.v4, port: 179, localAddress: LEFT.at.v4 });
    socket.on(
      'data',
      (chunk: Buffer) => void framer.push(chunk, (message) => messages.push(message.slice()) > 0),
    );
    socket.on('error', () => undefined);
    // Two capabilities that nobody knows, to be ignored (RFC 5492 §3), and too long together for a length of one octet.
    const unknown = [200, 201].map(
      (number) => ({ code: 'unknown', number, value: new Uint8Array(200) }) as const,
    );
    const open: OpenMessage = {
      type: 'open',
      version: 4,
      asn: LEFT.asn,
      holdSeconds: 90,
      routerId: 1,
      capabilities: [{ code: 1, afi: 1, safi: 1 }, { code: 65, asn: LEFT.asn }, ...unknown],
    };
    try {
      socket.write(encodeOpen(open));
      await eventually(
        'its OPEN and its KEEPALIVE',
        () => messages.map((message) => message[18]),
        (types) => types.length >= 2,
      );
    } finally {
      socket.destroy();
    }
    const [theirs = new Uint8Array(0), answer] = messages;
    // RFC 9072 §2: 255 in the old length, and 255 in place of the first parameter's type.
    expect([...theirs.subarray(28, 30)]).to.deep.equal([255, 255]);
    const decoded = decodeMessage(theirs, undefined);
    if (!decoded.ok || decoded.message?.type !== 'open') throw new Error('its OPEN cannot be read');
    expect(decoded.message.asn).to.equal(ROUTER_ASN);
    expect(decoded.message.capabilities.map(({ code }) => code)).to.include.members([1, 2, 65]);
    expect(answer?.[18], 'ours is accepted: KEEPALIVE').to.equal(4);
  });
});

function established(speaker: OurSpeaker, name: string): Promise<unknown> {
  return eventually(
    `established with ${name}`,
    () => `${speaker.session(name).state} ${speaker.session(name).lastError ?? ''}`,
    (text) => text.startsWith('Established'),
  );
}
