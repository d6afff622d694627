/** The generator measures others, so it is held to their yardstick: what it encodes, `bgpd/wire` must read without a fault. */
import { expect } from 'chai';
import fc from 'fast-check';
import { decodeMessage, type Negotiated, type Nlri, type UpdateMessage } from '../../bgpd/wire/index.ts';
import { EXTERNAL } from '../../bgpd/wire/testing/octets.ts';
import { encodeTable, encodeWithdrawals, type Sender } from './encode.ts';
import type { IpVersion } from './plan.ts';
import { attributeSet, MAX_ROUTES, numberOfV4, numberOfV6, roundOrigin, writePrefix } from './routes.ts';
import { Tally } from './tally.ts';

const VERSIONS: readonly IpVersion[] = [4, 6];
const COUNT = 2003;
const RANGE = { first: 777, count: COUNT, perSet: 5 };

describe('the traffic of the bench', () => {
  it('knows a prefix by its number and a number by its prefix', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VERSIONS),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (version, part) => {
          const n = Math.floor(part * (MAX_ROUTES[version] - 1));
          const octets = new Uint8Array(8);
          expect(writePrefix(version, n, octets, 0)).to.equal(1 + Math.ceil((octets[0] ?? 0) / 8));
          const [, a = 0, b = 0, c = 0] = octets;
          expect(version === 4 ? numberOfV4(a, b, c) : numberOfV6(octets, 1)).to.equal(n);
        },
      ),
    );
  });

  it('stays out of loopback and multicast', () => {
    for (let n = 0; n < MAX_ROUTES[4]; n += 97) {
      const octets = new Uint8Array(8);
      writePrefix(4, n, octets, 0);
      expect(octets[1]).to.be.within(16, 223).and.not.equal(127);
    }
  });

  it('gives every set attributes of its own', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => JSON.stringify(attributeSet(i, 0)));
    expect(new Set(texts).size).to.equal(5000);
  });

  for (const version of VERSIONS) {
    it(`encodes IPv${version} tables that a decoder reads without a fault`, () => {
      const updates = decodeAll(encodeTable(senderOf(version), RANGE), version);
      expect(updates).to.have.length(Math.ceil(COUNT / 5));
      const prefixes = updates.flatMap(({ reach }) => reach.flatMap(namesOf));
      expect(new Set(prefixes).size).to.equal(COUNT);
      expect(new Set(updates.map(({ attributes }) => JSON.stringify(attributes))).size).to.equal(
        updates.length,
      );
    });

    it(`encodes IPv${version} withdrawals of exactly what was announced`, () => {
      const announced = decodeAll(encodeTable(senderOf(version), RANGE), version);
      const withdrawn = decodeAll(encodeWithdrawals(version, RANGE.first, COUNT), version);
      expect(withdrawn.flatMap(namesIn).sort()).to.deep.equal(announced.flatMap(namesIn).sort());
    });

    it(`counts IPv${version} prefixes in and out, each once`, () => {
      const tally = new Tally(version, RANGE.first, COUNT);
      const table = encodeTable(senderOf(version), RANGE);
      feed(tally, table);
      feed(tally, table);
      expect(tally.present).to.equal(COUNT);
      expect(tally.entries).to.equal(2 * COUNT);
      feed(tally, encodeWithdrawals(version, RANGE.first, COUNT - 3));
      expect(tally.present).to.equal(3);
      expect(tally.ended).to.equal(false);
    });

    it(`counts only the last round of an IPv${version} churn`, () => {
      const tally = new Tally(version, RANGE.first, COUNT);
      tally.countRound(2);
      feed(tally, encodeTable(senderOf(version), RANGE, 1));
      expect(tally.present).to.equal(0);
      feed(tally, encodeTable(senderOf(version), RANGE, 2));
      expect(tally.present).to.equal(COUNT);
      expect(attributeSet(1, 2).path.at(-1)).to.equal(roundOrigin(2));
    });
  }
});

function senderOf(version: IpVersion): Sender {
  return { version, asn: 65_001, internal: false, nextHop: new Uint8Array(version === 4 ? 4 : 16).fill(10) };
}

function namesIn({ reach, unreach }: UpdateMessage): string[] {
  return [...reach, ...unreach].flatMap(namesOf);
}

function namesOf({ nlri }: { readonly nlri: readonly Nlri[] }): string[] {
  return nlri.map(({ prefix }) => prefix.toString());
}

function decodeAll(octets: Uint8Array, version: IpVersion): UpdateMessage[] {
  const session: Negotiated = { ...EXTERNAL, families: [version === 4 ? 'ipv4-unicast' : 'ipv6-unicast'] };
  const updates: UpdateMessage[] = [];
  forEachMessage(octets, (start, end) => {
    const decoded = decodeMessage(octets.subarray(start, end), session);
    if (!decoded.ok || decoded.message?.type !== 'update') throw new Error('no UPDATE');
    expect(decoded.faults).to.deep.equal([]);
    updates.push(decoded.message);
  });
  return updates;
}

function feed(tally: Tally, octets: Uint8Array): void {
  forEachMessage(octets, (start, end) => tally.update(octets, start, end));
}

function forEachMessage(octets: Uint8Array, each: (start: number, end: number) => void): void {
  for (let at = 0; at < octets.length; ) {
    const next = at + (((octets[at + 16] ?? 0) << 8) | (octets[at + 17] ?? 0));
    each(at, next);
    at = next;
  }
}
