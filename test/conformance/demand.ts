/** A demand of an RFC and how it is proven; the words of the tables beside this file. */
export type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT';

export interface Demand {
  readonly section: string;
  readonly level: Level;
  readonly asks: string;
  /** Test files with a part of the title: `bgpd/wire/open.test.ts: takes the extended`. */
  readonly proof?: readonly string[];
  /** In place of proof. */
  readonly beside?: string;
}

export interface Rfc {
  readonly number: number;
  readonly title: string;
  readonly demands: readonly Demand[];
}

export type Proven = readonly [section: string, level: Level, asks: string, ...proof: string[]];

export function proven(...rows: readonly Proven[]): Demand[] {
  return rows.map(([section, level, asks, ...proof]) => ({ section, level, asks, proof }));
}

export function beside(section: string, level: Level, asks: string, reason: string): Demand {
  return { section, level, asks, beside: reason };
}

/** Error by error. */
export const TABLE = 'bgpd/wire/rfc7606.test.ts';

/** A row of the table of RFC 7606's outcomes. */
export function outcome(section: string, asks: string, ...titles: string[]): Proven {
  return [section, 'MUST', asks, ...titles.map((title) => `${TABLE}: ${title}`)];
}
