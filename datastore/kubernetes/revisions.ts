/**
 * Positions in the history of an API server. Pure.
 *
 * A resource version is the revision of the etcd below the API server, a decimal number that all kinds share (KEP-5504
 * lets clients compare them). But each kind is watched on its own, and no kind waits for another: when an event of one
 * kind has been told, older ones of another may still be on their way. So a {@link Position} holds, beside the
 * version up to which everything has been told, how far each kind that is ahead of it has come. As text:
 * `1042`, or `1042;Node/nodes=1055;IPPool/ippools.crd.projectcalico.org=1047`.
 */
import type { Revision } from '../store.ts';

const NUMBER = /^(?:0|[1-9]\d*)$/;

export interface Position {
  /** Everything up to here has been told, of all kinds. */
  readonly base: string;
  /** Of streams that are ahead, how far they are. */
  readonly ahead: ReadonlyMap<string, string>;
}

/** @throws TypeError on what is no revision of this engine */
export function parsePosition(text: Revision): Position {
  const [base = '', ...rest] = text.split(';');
  const ahead = new Map(
    rest.map((part) => {
      const at = part.lastIndexOf('=');
      return [part.slice(0, at), part.slice(at + 1)] as const;
    }),
  );
  if (![base, ...ahead.values()].every((version) => NUMBER.test(version)))
    throw new TypeError(`${text} is not a revision of this store`);
  return { base, ahead };
}

export function formatPosition({ base, ahead }: Position): Revision {
  const parts = [...ahead].flatMap(([stream, version]) =>
    compareVersions(version, base) > 0 ? [`${stream}=${version}`] : [],
  );
  return [base, ...parts].join(';');
}

export function positionOf(stream: string, { base, ahead }: Position): string {
  return ahead.get(stream) ?? base;
}

/** Follows several streams; what all have passed becomes the base, so that the text stays short. */
export class Progress {
  readonly #reached: Map<string, string>;
  #others: ReadonlyMap<string, string>;
  #base: string;

  constructor(from: Position, streams: readonly string[]) {
    this.#base = from.base;
    this.#reached = new Map(streams.map((stream) => [stream, positionOf(stream, from)]));
    this.#others = new Map([...from.ahead].filter(([stream]) => !this.#reached.has(stream)));
  }

  advance(stream: string, version: string): void {
    const before = this.#reached.get(stream);
    if (before === undefined || compareVersions(version, before) > 0) this.#reached.set(stream, version);
    const lowest = [...this.#reached.values()].reduce((a, b) => (compareVersions(a, b) <= 0 ? a : b));
    if (compareVersions(lowest, this.#base) > 0) this.#base = lowest;
  }

  get revision(): Revision {
    return formatPosition({ base: this.#base, ahead: new Map([...this.#others, ...this.#reached]) });
  }
}

/** Of decimal numbers without leading zeros, of any length. */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

export function isVersion(text: string): boolean {
  return NUMBER.test(text);
}
