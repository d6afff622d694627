/**
 * What the matrix says that a router cannot, and that no cell of it shows by itself: asked of the real daemon, so that a row
 * goes the day it is no longer true.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { CommandError, run } from '../../net/kernel/process.ts';
import { ROUTERS, type RouterRow } from './matrix/cells.ts';
import { Fabric, place, type OurSpeaker } from './matrix/fabric.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Gobgp } from './peers/gobgp.ts';

const OURS = { asn: 4_200_000_102, at: place(11) };
const AS_TRANS = 23_456;
const ROUTER_ASN = 65_010;
const PLACES = { bird: place(0x100), frr: place(0x101), gobgp: place(0x102) };

const FOUR_OCTET_AS = 65;

function why(name: string, what: keyof RouterRow['cannot']): string {
  const row = ROUTERS.find((each) => each.name === name);
  return row?.cannot[what] ?? `${name} can: ${what}`;
}

function oldBird(asn: number): string {
  return `router id ${PLACES.bird.v4};
protocol device { }
protocol bgp n {
  local as ${ROUTER_ASN}; neighbor ${OURS.at.v4} as ${asn}; passive on; enable as4 off; direct;
  ipv4 { import all; export all; };
}
`;
}

function oldOpenbgpd(asn: number): string {
  return `AS ${ROUTER_ASN}
neighbor ${OURS.at.v4} {
  remote-as ${asn}
  announce as-4byte no
}
`;
}

const OLD_FRR = `frr defaults traditional
router bgp ${ROUTER_ASN}
 bgp router-id ${PLACES.frr.v4}
 timers bgp 30 90
 no bgp ebgp-requires-policy
 neighbor ${OURS.at.v4} remote-as ${OURS.asn}
 neighbor ${OURS.at.v4} passive
 neighbor ${OURS.at.v4} dont-capability-negotiate
 address-family ipv6 unicast
  neighbor ${OURS.at.v4} activate
 exit-address-family
`;

const GOBGP = `[global.config]
as = ${ROUTER_ASN}
router-id = "${PLACES.gobgp.v4}"
port = 179
[[neighbors]]
[neighbors.config]
neighbor-address = "${OURS.at.v4}"
peer-as = ${OURS.asn}
[neighbors.transport.config]
passive-mode = true
`;

describeOnKernel('what routers cannot', function () {
  this.timeout(400_000);

  const fabric = new Fabric();
  let ours: OurSpeaker;

  before(async () => {
    await fabric.open();
    ours = await fabric.speaker(OURS.asn, OURS.at);
    for (const [name, at] of Object.entries(PLACES)) await fabric.join(name, at);
    await Promise.all([
      new Bird(fabric.lab, 'bird').start(oldBird(AS_TRANS)),
      new Frr(fabric.lab, 'frr').start(OLD_FRR),
      new Gobgp(fabric.lab, 'gobgp').start(GOBGP),
    ]);
    const peers = Object.entries(PLACES).map(([name, at]) => ({ name, address: at.v4, asn: ROUTER_ASN }));
    ours.configure(peers, []);
  });

  after(() => fabric.close());

  /** Has the daemon check a configuration; what it complains, or nothing. */
  async function complaint(text: string, ...check: readonly string[]): Promise<string> {
    const path = join(fabric.lab.folder, 'checked.conf');
    // OpenBGPD refuses a configuration that others may read.
    writeFileSync(path, text, { mode: 0o600 });
    try {
      // Some complain on standard output.
      await run('sh', ['-c', '"$@" >&2', 'sh', ...check, path]);
      return '';
    } catch (error) {
      if (error instanceof CommandError) return error.stderr;
      throw error;
    }
  }

  it(`BIRD, when old, speak with a 4-octet AS: ${why('bird', 'expectAsTrans')}`, async () => {
    const check = ['bird', '-p', '-c'];
    expect(await complaint(oldBird(OURS.asn), ...check)).to.include('AS4 not available');
    expect(await complaint(oldBird(AS_TRANS), ...check)).to.equal('');
    // It takes the configuration, reads our true number all the same, and refuses that.
    await eventually(
      'refused',
      () => ours.session('bird').lastError ?? '',
      (text) => text.includes('Bad Peer AS (2/2)'),
    );
    expect(ours.session('bird').counters.establishedTransitions).to.equal(0);
  });

  it(`FRR, when old, carry IPv6: ${why('frr', 'ipv6WhenOld')}`, async () => {
    await eventually(
      'established',
      () => ours.session('frr').state,
      (state) => state === 'Established',
    );
    expect(ours.session('frr').history.openReceived?.capabilities).to.deep.equal([]);
    expect(ours.session('frr').negotiated?.families).to.deep.equal(['ipv4-unicast']);
  });

  it(`GoBGP be old: ${why('gobgp', 'beOld')}`, async () => {
    await eventually(
      'established',
      () => ours.session('gobgp').state,
      (state) => state === 'Established',
    );
    const codes = ours.session('gobgp').history.openReceived?.capabilities.map(({ code }) => code);
    expect(codes).to.include(FOUR_OCTET_AS);
    // Nothing that its configuration knows is about it: what it does not know it refuses.
    const check = ['gobgpd', '--dry-run', '-f'];
    expect(await complaint(GOBGP, ...check)).to.equal('');
    for (const key of ['four-octet-as = false', 'as4 = false', 'capability-negotiation = false']) {
      const text = GOBGP.replace('peer-as', `${key}\npeer-as`);
      expect(await complaint(text, ...check), key).to.include('invalid keys');
    }
  });

  it(`OpenBGPD, when old, speak with a 4-octet AS: ${why('openbgpd', 'expectAsTrans')}`, async () => {
    const check = ['/usr/sbin/bgpd', '-n', '-f'];
    expect(await complaint(oldOpenbgpd(AS_TRANS), ...check)).to.include('AS 23456 is reserved');
    expect(await complaint(oldOpenbgpd(64_501), ...check)).to.not.include('reserved');
  });
});
