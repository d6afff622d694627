/** Valid sessions at random: an OPEN, and messages of every type with attributes of every kind. */
import { HOSTILE, type Kind } from './arena.ts';
import {
  joined,
  u16,
  u32,
  type AttributeDraft,
  type Draft,
  type OpenDraft,
  type UpdateDraft,
} from './draft.ts';
import type { Random } from './random.ts';

const NONE = new Uint8Array(0);
const OPTIONAL_TRANSITIVE = 0xc0;

export function validSession(kind: Kind, random: Random): Draft[] {
  const messages = Array.from({ length: random.between(1, 6) }, () => validMessage(kind, random));
  return [validOpen(kind, random), { type: 'raw', code: 4, body: NONE }, ...messages];
}

export function validOpen(kind: Kind, random: Random): OpenDraft {
  const { asn } = HOSTILE[kind];
  const capabilities: OpenDraft['capabilities'] = [
    { code: 1, value: Uint8Array.of(0, 1, 0, 1) },
    { code: 1, value: Uint8Array.of(0, 2, 0, 1) },
    { code: 2, value: NONE },
  ];
  if (kind !== 'old') capabilities.push({ code: 65, value: u32(asn) });
  if (random.chance(0.2)) capabilities.push({ code: 6, value: NONE });
  if (random.chance(0.2))
    capabilities.push({ code: 64, value: Uint8Array.of(0, 120, 0, 1, 1, 128, 0, 2, 1, 128) });
  if (random.chance(0.1)) capabilities.push({ code: 69, value: Uint8Array.of(0, 1, 1, 3, 0, 2, 1, 1) });
  if (random.chance(0.1))
    capabilities.push({ code: 73, value: joined([Uint8Array.of(2), random.octets(2), Uint8Array.of(0)]) });
  if (random.chance(0.1))
    capabilities.push({ code: random.between(128, 255), value: random.octets(random.below(20)) });
  const extended = random.chance(0.1);
  return { type: 'open', asn, hold: 90, id: 0x0a00_0901, capabilities, parameter: 2, extended };
}

function validMessage(kind: Kind, random: Random): Draft {
  const choice = random.next();
  if (choice < 0.05) return { type: 'raw', code: 4, body: NONE };
  if (choice < 0.1) return { type: 'raw', code: 5, body: Uint8Array.of(0, random.between(1, 2), 0, 1) };
  return validUpdate(kind, random);
}

export function validUpdate(kind: Kind, random: Random): UpdateDraft {
  const classic = random.chance(0.6);
  const mp = random.chance(0.5);
  const attributes: AttributeDraft[] = [];
  if (mp) attributes.push({ flags: 0x80, code: 14, value: mpReach(random) });
  if (random.chance(0.2)) attributes.push({ flags: 0x80, code: 15, value: mpUnreach(random) });
  if (classic || mp) attributes.push(...pathAttributes(kind, random, classic));
  if (random.chance(0.1)) shuffle(attributes, random);
  return {
    type: 'update',
    withdrawn: random.chance(0.3) ? prefixes(4, random) : NONE,
    attributes,
    nlri: classic ? prefixes(4, random) : NONE,
  };
}

function pathAttributes(kind: Kind, random: Random, classic: boolean): AttributeDraft[] {
  const width = kind === 'old' ? 2 : 4;
  const { asn } = HOSTILE[kind];
  const own = kind === 'internal' ? [] : [asn];
  const path = [...own, ...Array.from({ length: random.below(6) }, () => random.between(1, 65_000))];
  const as = (value: number): Uint8Array => (width === 4 ? u32(value) : u16(value));
  const attributes: AttributeDraft[] = [
    { flags: 0x40, code: 1, value: Uint8Array.of(random.below(3)) },
    {
      flags: 0x40,
      code: 2,
      value: path.length === 0 ? NONE : joined([Uint8Array.of(2, path.length), ...path.map(as)]),
    },
  ];
  if (classic)
    attributes.push({ flags: 0x40, code: 3, value: Uint8Array.of(10, 0, 9, random.between(1, 254)) });
  if (kind === 'internal') attributes.push({ flags: 0x40, code: 5, value: u32(random.between(0, 300)) });
  const optional: AttributeDraft[] = [
    { flags: 0x80, code: 4, value: random.octets(4) },
    { flags: 0x40, code: 6, value: NONE },
    { flags: OPTIONAL_TRANSITIVE, code: 7, value: joined([as(random.between(1, 65_000)), random.octets(4)]) },
    { flags: OPTIONAL_TRANSITIVE, code: 8, value: random.octets(4 * random.between(1, 8)) },
    { flags: OPTIONAL_TRANSITIVE, code: 16, value: random.octets(8 * random.between(1, 4)) },
    { flags: OPTIONAL_TRANSITIVE, code: 32, value: random.octets(12 * random.between(1, 4)) },
    { flags: OPTIONAL_TRANSITIVE, code: random.between(33, 255), value: random.octets(random.below(300)) },
    { flags: 0x80, code: random.between(40, 255), value: random.octets(random.below(20)) },
  ];
  if (kind === 'internal') {
    optional.push({ flags: 0x80, code: 9, value: Uint8Array.of(10, 9, 9, 9) });
    optional.push({ flags: 0x80, code: 10, value: random.octets(4 * random.between(1, 3)) });
  }
  if (kind === 'old') {
    optional.push({
      flags: OPTIONAL_TRANSITIVE,
      code: 17,
      value: joined([Uint8Array.of(2, 1), u32(random.between(1, 100_000))]),
    });
    optional.push({
      flags: OPTIONAL_TRANSITIVE,
      code: 18,
      value: joined([u32(random.between(1, 100_000)), random.octets(4)]),
    });
  }
  for (const attribute of optional) if (random.chance(0.25)) attributes.push(attribute);
  return attributes;
}

/** From a small set of lengths and few bits, so that messages meet on the same prefixes. */
export function prefixes(version: 4 | 6, random: Random): Uint8Array {
  const one = (): Uint8Array => {
    const bits =
      version === 4 ? random.pick([0, 8, 15, 16, 22, 24, 32]) : random.pick([0, 32, 47, 48, 64, 128]);
    const octets = Math.ceil(bits / 8);
    const address = new Uint8Array(octets).fill(0);
    address.set((version === 4 ? [198, 18] : [0x20, 1, 0x0d, 0xb8]).slice(0, octets));
    if (octets > 2) address[octets - 1] = random.below(4) * 64;
    return joined([Uint8Array.of(bits), address]);
  };
  return joined(Array.from({ length: random.between(1, 4) }, one));
}

function mpReach(random: Random): Uint8Array {
  if (random.chance(0.15)) return joined([Uint8Array.of(0, 1, 1, 4, 10, 0, 9, 1, 0), prefixes(4, random)]);
  const global = Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, random.between(1, 255));
  const local = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9);
  const hop = random.chance(0.3) ? joined([global, local]) : global;
  return joined([Uint8Array.of(0, 2, 1, hop.length), hop, Uint8Array.of(0), prefixes(6, random)]);
}

function mpUnreach(random: Random): Uint8Array {
  const version = random.chance(0.8) ? 6 : 4;
  const afi = version === 6 ? 2 : 1;
  return joined([Uint8Array.of(0, afi, 1), random.chance(0.2) ? NONE : prefixes(version, random)]);
}

export function shuffle(values: unknown[], random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
}
