/** Damage: to the parts of a message, which keeps it close to valid, and to its octets, which does not. */
import {
  framed,
  joined,
  u16,
  u32,
  written,
  type AttributeDraft,
  type Draft,
  type OpenDraft,
  type UpdateDraft,
} from './draft.ts';
import { shuffle, prefixes } from './generate.ts';
import type { Random } from './random.ts';

/** Values at which lengths and counters turn over. */
const EDGES = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 18, 19, 32, 33, 127, 128, 129, 254, 255] as const;

/** The session's messages as octets, one to three of them damaged (or none, rarely). */
export function damaged(drafts: readonly Draft[], random: Random): Uint8Array[] {
  const messages: Draft[] = drafts.map((draft) => structuredClone(draft));
  const wounds = random.pick([0, 1, 1, 1, 2, 3]);
  const octetWounds = new Map<number, number>();
  for (let i = 0; i < wounds; i++) {
    // Mostly what comes after the handshake, or little would ever be read as an UPDATE.
    const at = random.chance(0.15)
      ? random.below(messages.length)
      : Math.min(messages.length - 1, random.between(2, messages.length));
    const draft = messages[at];
    if (draft !== undefined && random.chance(0.75) && hurtParts(draft, random)) continue;
    octetWounds.set(at, (octetWounds.get(at) ?? 0) + 1);
  }
  const octets = messages.map((draft, at) => {
    let message = written(draft);
    for (let i = 0; i < (octetWounds.get(at) ?? 0); i++) message = hurtOctets(message, random);
    return message;
  });
  if (random.chance(0.03)) octets.splice(random.below(octets.length), 1);
  if (random.chance(0.03)) octets.splice(random.below(octets.length), 0, written(random.pick(messages)));
  if (random.chance(0.02)) shuffle(octets, random);
  return octets;
}

/** How the stream is cut into writes: message by message, all at once, or anywhere. */
export function chunked(messages: readonly Uint8Array[], random: Random): Uint8Array[] {
  const choice = random.next();
  if (choice < 0.5) return [...messages];
  const all = joined(messages);
  if (choice < 0.8) return [all];
  const cuts = Array.from({ length: random.between(1, 12) }, () => random.below(all.length)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts]
    .map((from, i) => all.slice(from, cuts[i] ?? all.length))
    .filter(({ length }) => length > 0);
}

function hurtParts(draft: Draft, random: Random): boolean {
  if (draft.type === 'update') hurtUpdate(draft, random);
  else if (draft.type === 'open') hurtOpen(draft, random);
  else return false;
  return true;
}

type Wound<T> = (draft: T, random: Random) => void;

const UPDATE_WOUNDS: readonly Wound<UpdateDraft>[] = [
  onAttribute((one, random) => void (one.flags ^= random.pick([0x80, 0x40, 0x20, 0x10, 0x08, 0xc0]))),
  onAttribute((one, random) => void (one.flags = random.below(256))),
  onAttribute(
    (one, random) => void (one.code = random.chance(0.7) ? random.between(0, 35) : random.below(256)),
  ),
  onAttribute((one, random) => void (one.lengthOff = random.pick([-3, -2, -1, 1, 2, 3, 100, 255]))),
  onAttribute((one) => void (one.value = new Uint8Array(0))),
  onAttribute((one, random) => void (one.value = one.value.slice(0, random.below(one.value.length + 1)))),
  onAttribute((one, random) => void (one.value = joined([one.value, random.octets(random.between(1, 5))]))),
  onAttribute((one, random) => {
    const at = random.below(one.value.length);
    if (one.value.length > 0) one.value[at] = random.chance(0.6) ? random.pick(EDGES) : random.below(256);
  }),
  (draft, random) => {
    if (draft.attributes.length > 0) draft.attributes.splice(random.below(draft.attributes.length), 1);
  },
  (draft, random) => {
    if (draft.attributes.length > 0) draft.attributes.push(structuredClone(random.pick(draft.attributes)));
  },
  (draft, random) => shuffle(draft.attributes, random),
  (draft, random) => {
    for (let i = random.between(1, 300); i > 0; i--)
      draft.attributes.push({ flags: 0xc0, code: random.below(256), value: random.octets(random.below(4)) });
  },
  (draft, random) => void (draft.withdrawnOff = random.pick([-3, -2, -1, 1, 2, 3, 0x7fff])),
  (draft, random) => void (draft.attributesOff = random.pick([-3, -2, -1, 1, 2, 3, 0x7fff])),
  (draft, random) => void (draft.nlri = joined([draft.nlri, prefixes(4, random)])),
  (draft, random) => void (draft.nlri = joined([draft.nlri, Uint8Array.of(random.pick(EDGES))])),
  (draft, random) => void (draft.withdrawn = joined([draft.withdrawn, Uint8Array.of(random.pick(EDGES))])),
  (draft) => void (draft.nlri = new Uint8Array(0)),
  (draft) => void (draft.attributes = []),
  (draft, random) => {
    const count = random.pick([60, 255, 900]);
    const segment = joined([
      Uint8Array.of(random.between(1, 4), Math.min(255, count)),
      random.octets(4 * Math.min(255, count)),
    ]);
    draft.attributes.push({
      flags: 0x50,
      code: 2,
      value: count > 255 ? joined([segment, segment, segment]) : segment,
    });
  },
];

function onAttribute(hurt: (one: AttributeDraft, random: Random) => void): Wound<UpdateDraft> {
  return (draft, random) => {
    if (draft.attributes.length > 0) hurt(random.pick(draft.attributes), random);
  };
}

function hurtUpdate(draft: UpdateDraft, random: Random): void {
  random.pick(UPDATE_WOUNDS)(draft, random);
}

const OPEN_WOUNDS: readonly Wound<OpenDraft>[] = [
  (draft, random) => void (draft.hold = random.pick([0, 1, 2, 3, 0xffff])),
  (draft, random) => void (draft.id = random.pick([0, 0x0a00_0001, 0xffff_ffff])),
  (draft, random) => void (draft.asn = random.pick([0, 1, 23_456, 65_001, 65_101, 0xffff])),
  (draft, random) => {
    for (const one of draft.capabilities)
      if (one.code === 65) one.value = u32(random.pick([0, 1, 23_456, 65_001, 65_101, 0xffff_ffff]));
  },
  (draft, random) => void (draft.parameter = random.below(256)),
  (draft, random) => void (draft.lengthOff = random.pick([-2, -1, 1, 2, 100])),
  (draft) => void (draft.extended = !draft.extended),
  (draft) => void (draft.capabilities = []),
  (draft, random) => void draft.capabilities.splice(random.below(draft.capabilities.length), 1),
  (draft, random) => void draft.capabilities.push(structuredClone(random.pick(draft.capabilities))),
  (draft, random) => void (random.pick(draft.capabilities).lengthOff = random.pick([-2, -1, 1, 2, 3, 200])),
  (draft, random) => void (random.pick(draft.capabilities).code = random.below(80)),
  (draft, random) => {
    const one = random.pick(draft.capabilities);
    one.value = random.octets(random.below(12));
  },
  (draft, random) => {
    for (let i = random.between(1, 200); i > 0; i--)
      draft.capabilities.push({ code: random.between(74, 255), value: random.octets(random.below(16)) });
  },
];

function hurtOpen(draft: OpenDraft, random: Random): void {
  if (draft.capabilities.length > 0) random.pick(OPEN_WOUNDS)(draft, random);
}

/** Half of the time the header's length is put right again, so that the damage is not over at the header. */
function hurtOctets(message: Uint8Array, random: Random): Uint8Array {
  const at = random.chance(0.9)
    ? Math.min(message.length - 1, random.between(19, message.length))
    : random.below(message.length);
  const hurt = message.slice();
  switch (random.below(6)) {
    case 0:
      hurt[at] = (hurt[at] ?? 0) ^ (1 << random.below(8));
      return hurt;
    case 1:
      hurt[at] = random.chance(0.6) ? random.pick(EDGES) : random.below(256);
      return hurt;
    case 2:
      if (hurt.length >= 18)
        hurt.set(u16(random.pick([0, 18, 19, 20, 21, 22, 23, 28, 29, 4096, 4097, 65_535])), 16);
      return hurt;
    case 3:
      return refitted(joined([hurt.slice(0, at), hurt.slice(at + random.between(1, 8))]), random);
    case 4:
      return refitted(
        joined([hurt.slice(0, at), random.octets(random.between(1, 8)), hurt.slice(at)]),
        random,
      );
    default:
      return refitted(joined([hurt, hurt.slice(at)]), random);
  }
}

function refitted(message: Uint8Array, random: Random): Uint8Array {
  return message.length > 19 && message.length < 65_535 && random.chance(0.8)
    ? framed(message[18] ?? 0, message.slice(19))
    : message;
}
