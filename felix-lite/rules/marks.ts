/** Which bits of the packet mark are ours, and what each says. The order of allocation is Calico's. */
export interface Marks {
  /** A policy or profile has allowed the packet. */
  readonly accept: number;
  /** A policy has passed the packet on to the next tier. */
  readonly pass: number;
  /** A policy has denied the packet; set for one rule only, then the packet is dropped. */
  readonly drop: number;
  /** While one rule needs several kernel rules: all parts so far have matched; this part has matched. */
  readonly scratch0: number;
  readonly scratch1: number;
  /**
   * Every bit above but {@link drop}: what a packet comes without, as with Calico. Nothing looks for the drop bit but the
   * rule behind the one that sets it.
   */
  readonly all: number;
}

/** Calico's default of `iptablesMarkMask`. */
export const DEFAULT_MARK_MASK = 0xffff0000;

const NEEDED = 5;

/**
 * Takes the lowest bits of the mask, in the order accept, pass, drop, scratch0, scratch1.
 * Undefined when the mask has fewer than five bits.
 */
export function allocateMarks(mask: number = DEFAULT_MARK_MASK): Marks | undefined {
  const bits: number[] = [];
  for (let bit = 0; bit < 32 && bits.length < NEEDED; bit++) {
    const value = 2 ** bit;
    if (((mask >>> bit) & 1) === 1) bits.push(value);
  }
  const [accept, pass, drop, scratch0, scratch1] = bits;
  if (
    accept === undefined ||
    pass === undefined ||
    drop === undefined ||
    scratch0 === undefined ||
    scratch1 === undefined
  )
    return undefined;
  return { accept, pass, drop, scratch0, scratch1, all: accept + pass + scratch0 + scratch1 };
}
