/** One case against the whole speaker: what a hostile peer sends, and whether what follows is what the RFCs say. */
import { Arena, HOSTILE, SPEAKER, type Kind } from './arena.ts';
import { heldFrom } from './held.ts';
import { SessionOracle, type Expected } from './oracle/session.ts';

export interface Case {
  readonly kind: Kind;
  /** Each is written to the socket at once; together they are the whole stream, OPEN included. */
  readonly writes: readonly Uint8Array[];
}

/** CPU time that the speaker may take over one case, far above the few milliseconds that any takes. */
const SLOW_MS = 1_000;

export class Trial {
  readonly #arenas = new Map<Kind, Arena>();
  readonly #lens: (octets: Uint8Array) => Uint8Array;

  /** @param lens what the oracle sees of each write; anything but all of it makes the two differ, as a test wants */
  constructor(lens: (octets: Uint8Array) => Uint8Array = (octets) => octets) {
    this.#lens = lens;
  }

  /** @returns what went wrong, in words; empty when nothing did */
  run({ kind, writes }: Case): string[] {
    const arena = this.#arena(kind);
    const { hostile, neighbour } = arena;
    const oracle = new SessionOracle({
      asn: HOSTILE[kind].asn,
      localAsn: SPEAKER.asn,
      localId: SPEAKER.routerId,
    });
    const treatedBefore = neighbour.session.counters.treatedAsWithdraw;
    const start = process.threadCpuUsage();
    try {
      hostile.connect();
      arena.run(0.1);
      for (const octets of writes) {
        hostile.say(octets);
        arena.run(0.05);
        oracle.hear(this.#lens(octets));
      }
      arena.run(1);
      const { user, system } = process.threadCpuUsage(start);
      const wrong = [
        ...compare(arena, oracle.expected, treatedBefore),
        ...arena.check(),
        ...((user + system) / 1000 > SLOW_MS ? [`took ${Math.round((user + system) / 1000)} ms`] : []),
      ];
      arena.reset();
      wrong.push(...arena.leaks(), ...arena.check().map((text) => `afterwards: ${text}`));
      if (wrong.length > 0) this.#arenas.delete(kind);
      return wrong;
    } catch (error) {
      this.#arenas.delete(kind);
      return [`threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
    }
  }

  #arena(kind: Kind): Arena {
    const known = this.#arenas.get(kind);
    if (known !== undefined) return known;
    const arena = new Arena(kind);
    this.#arenas.set(kind, arena);
    return arena;
  }
}

function compare(arena: Arena, expected: Expected, treatedBefore: number): string[] {
  const { hostile, neighbour, speaker } = arena;
  const { end, routes } = expected;
  const answer = hostile.notification;
  const said = answer === undefined ? 'nothing' : `${answer.code}/${answer.subcode}`;
  if (end.state === 'closed') {
    if (!hostile.closed)
      return [`the session stands; the RFCs end it by ${end.by.join(' or ') || 'a close'}`];
    const due = end.by.some(
      (code) => code === said || (code.endsWith('/any') && said.startsWith(code.slice(0, 2))),
    );
    if (end.by.length === 0 ? answer !== undefined : !due)
      return [`ended by ${said}; the RFCs say ${end.by.join(' or ') || 'nothing'}`];
    return [];
  }
  if (hostile.closed)
    return [`ended by ${said} (${neighbour.session.lastError ?? ''}); the RFCs keep it ${end.state}`];
  if (neighbour.session.state !== end.state)
    return [`is ${neighbour.session.state}; the RFCs say ${end.state}`];
  const wrong: string[] = [];
  const treated = neighbour.session.counters.treatedAsWithdraw - treatedBefore;
  if (treated !== expected.treatedAsWithdraw)
    wrong.push(`${treated} treated as withdraw; the RFCs say ${expected.treatedAsWithdraw}`);
  const held = heldFrom(speaker, neighbour);
  for (const [prefix, attributes] of routes)
    if (!attributes.includes(held.get(prefix) ?? ''))
      wrong.push(
        `${prefix} is held as ${held.get(prefix) ?? 'nothing'}; the RFCs say ${attributes.join(' or ')}`,
      );
  for (const prefix of held.keys())
    if (!routes.has(prefix)) wrong.push(`${prefix} is held; the RFCs say nothing`);
  return wrong;
}
