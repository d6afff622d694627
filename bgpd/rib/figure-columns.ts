/**
 * The figures that the decision process compares, by number of the attribute set. Hot (bench/micro/bgp-inbound.ts).
 *
 * In columns, whose pages are made when first written to: what no set of a table has (an ORIGINATOR_ID on eBGP, a
 * LOCAL_PREF other than the default) costs nothing.
 */
import { DEFAULT_LOCAL_PREF, type Figures } from './attribute-octets.ts';
import { Column } from './column.ts';

/**
 * One number: bits 0 to 13 the length of AS_PATH, 14 to 27 that of CLUSTER_LIST (65,535 octets of attributes hold 16,383
 * numbers), 28 and 29 the rank of ORIGIN, and whether there are MULTI_EXIT_DISC and ORIGINATOR_ID.
 */
const LENGTH_MASK = 0x3fff;
const CLUSTERS_AT = 14;
const ORIGIN_AT = 28;
const HAS_MED = 1 << 30;
const HAS_ORIGINATOR = 1 << 31;

export class FigureColumns {
  readonly #shape = new Column();
  readonly #med = new Column();
  readonly #neighbourAs = new Column();
  readonly #originatorId = new Column();
  /** Combined with the default by exclusive or, so that the default is 0. */
  readonly #localPref = new Column();
  /** Rare. */
  readonly #aigp = new Map<number, bigint>();

  /** In place of what the set that had the number before left behind. */
  put(id: number, figures: Figures): void {
    const { med, originatorId, aigp } = figures;
    const shape =
      figures.asPathLength |
      (figures.clusterListLength << CLUSTERS_AT) |
      (figures.originRank << ORIGIN_AT) |
      (med === undefined ? 0 : HAS_MED) |
      (originatorId === undefined ? 0 : HAS_ORIGINATOR);
    write(this.#shape, id, shape >>> 0);
    write(this.#med, id, med ?? 0);
    write(this.#neighbourAs, id, figures.neighbourAs);
    write(this.#originatorId, id, originatorId ?? 0);
    write(this.#localPref, id, (figures.localPref ^ DEFAULT_LOCAL_PREF) >>> 0);
    if (aigp !== undefined) this.#aigp.set(id, aigp);
    else if (this.#aigp.size > 0) this.#aigp.delete(id);
  }

  localPref(id: number): number {
    return (this.#localPref.get(id) ^ DEFAULT_LOCAL_PREF) >>> 0;
  }

  asPathLength(id: number): number {
    return this.#shape.get(id) & LENGTH_MASK;
  }

  clusterListLength(id: number): number {
    return (this.#shape.get(id) >>> CLUSTERS_AT) & LENGTH_MASK;
  }

  originRank(id: number): number {
    return (this.#shape.get(id) >>> ORIGIN_AT) & 3;
  }

  med(id: number): number | undefined {
    return (this.#shape.get(id) & HAS_MED) === 0 ? undefined : this.#med.get(id);
  }

  neighbourAs(id: number): number {
    return this.#neighbourAs.get(id);
  }

  originatorId(id: number): number | undefined {
    return (this.#shape.get(id) & HAS_ORIGINATOR) === 0 ? undefined : this.#originatorId.get(id);
  }

  aigp(id: number): bigint | undefined {
    return this.#aigp.size === 0 ? undefined : this.#aigp.get(id);
  }
}

function write(column: Column, id: number, value: number): void {
  if (column.get(id) !== value) column.set(id, value);
}
