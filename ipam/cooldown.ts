/**
 * The rest that a released address takes before it is given again (`ipCooldownSeconds`), as Calico 3.33 counts it: a
 * release takes the handle off the address and writes down when; whoever next writes the block frees what has rested
 * long enough in the same write. Until then the address is nobody's, and not free. Pure.
 */
import type { AllocationAttribute } from './attributes.ts';

export interface Cooldown {
  /** 0: a released address is free at once. */
  readonly seconds: number;
  readonly now: Date;
}

/** For blocks that are being made, out of which nothing is released. */
export const AT_ONCE: Cooldown = { seconds: 0, now: new Date(0) };

/**
 * What is stored in place of the owner. In whole seconds, as Calico's times are; rounded up, so that no rest is shorter than
 * was asked for.
 */
export function restingSince({ now }: Cooldown): AllocationAttribute {
  const second = new Date(Math.ceil(now.getTime() / 1000) * 1000);
  return { releasedAt: second.toISOString().replace('.000Z', 'Z') };
}

export function isResting({ releasedAt }: AllocationAttribute): boolean {
  return typeof releasedAt === 'string';
}

/** A time that cannot be read would keep the address from everybody for ever: it counts as long ago. */
export function hasRested({ releasedAt }: AllocationAttribute, { seconds, now }: Cooldown): boolean {
  if (typeof releasedAt !== 'string') return false;
  const since = Date.parse(releasedAt);
  return seconds <= 0 || Number.isNaN(since) || now.getTime() - since >= seconds * 1000;
}
