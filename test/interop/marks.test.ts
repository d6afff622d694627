/**
 * What the matrix does not show, through a BIRD that reflects: AIGP, which both of us speak inside an AS unless told not to
 * (RFC 7311 §3.3) and neither outside, and the partial bit of attributes that everybody knows (RFC 4271 §5).
 */
import { expect } from 'chai';
import type { PathAttributes } from '../../bgpd/wire/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Fabric, place, type OurSpeaker } from './matrix/fabric.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';

const ASN = 65_010;
const LEFT = { asn: ASN, at: place(11) };
const RIGHT = { asn: ASN, at: place(12) };
const OUTSIDE = { asn: 64_501, at: place(13) };
const BIRD = place(0x100);

const COMMUNITIES = 8;
const LARGE_COMMUNITY = 32;

const PREFIX = '10.77.0.0/24';
const ATTRIBUTES: PathAttributes = {
  origin: 'IGP',
  asPath: [],
  communities: [0xfde8_0001],
  largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
  aigp: { metric: 1234n },
  partial: [COMMUNITIES],
};

const peer = ({ asn, at }: typeof LEFT): string => `protocol bgp {
  local as ${ASN}; neighbor ${at.v4} as ${asn}; passive on; direct; ${asn === ASN ? 'rr client;' : ''}
  ipv4 { import all; export all; };
}
`;

describeOnKernel('marks that attributes bear', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  const bird = new Bird(fabric.lab, 'bird');
  const heard = new Map<string, PathAttributes>();

  before(async () => {
    await fabric.open();
    await fabric.join('bird', BIRD);
    await bird.start(
      `router id ${BIRD.v4};\nprotocol device { }\n${[LEFT, RIGHT, OUTSIDE].map(peer).join('')}`,
    );
    for (const [name, { asn, at }] of Object.entries({ LEFT, RIGHT, OUTSIDE })) {
      const speaker = await fabric.speaker(asn, at);
      speaker.configure(
        [{ name: 'bird', address: BIRD.v4, asn: ASN, aigp: true }],
        name === 'LEFT' ? [{ prefix: PREFIX, attributes: ATTRIBUTES }] : [],
      );
      if (name === 'LEFT') continue;
      const attributes = await eventually(
        `${name} hears it`,
        () => attributesOf(speaker),
        (there) => there !== undefined,
      );
      if (attributes !== undefined) heard.set(name, attributes);
    }
  });

  after(() => fabric.close());

  it('AIGP reaches BIRD and who it reflects to, and nobody outside', async () => {
    expect(await bird.birdc(`show route all ${PREFIX}`)).to.match(/BGP\.aigp: 1234/);
    expect(heard.get('RIGHT')?.aigp).to.deep.equal({ metric: 1234n });
    expect(heard.get('OUTSIDE')).to.not.have.property('aigp');
  });

  it('the partial bit is where it was, and nowhere else', () => {
    for (const name of ['RIGHT', 'OUTSIDE']) {
      expect(heard.get(name)?.communities, name).to.deep.equal(ATTRIBUTES.communities);
      expect(heard.get(name)?.largeCommunities, name).to.deep.equal(ATTRIBUTES.largeCommunities);
      expect(heard.get(name)?.partial, name).to.deep.equal([COMMUNITIES]);
    }
    expect(heard.get('RIGHT')?.partial).to.not.include(LARGE_COMMUNITY);
  });
});

function attributesOf({ speaker }: OurSpeaker): PathAttributes | undefined {
  const { index, locRib } = speaker.tables['ipv4-unicast'];
  const id = Array.from({ length: index.limit }, (_, each) => each).find(
    (each) => String(index.prefix(each)) === String(Prefix.parse(PREFIX)),
  );
  return id === undefined ? undefined : locRib.paths(id)[0]?.received.attributes;
}
