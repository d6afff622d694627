/**
 * An update group and the peers in it: reads the group's news while somebody can take them, at most as often as the
 * advertisement interval allows (RFC 4271 §9.2.1.1), and brings those up to date who are behind.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import type { Deliver, UpdateGroup } from '../rib/update-group.ts';
import type { Membership } from './membership.ts';

/** Prefixes that the group looks at in one go, if it is not late before: a few milliseconds' work. */
const BATCH = 4096;

export interface PeerGroupOptions {
  /** MinRouteAdvertisementInterval; 0: news go out at once. */
  readonly intervalSeconds: number;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the interval's jitter. */
  readonly random: () => number;
  /** The interval is over and there is work again. */
  readonly wake: () => void;
}

export class PeerGroup {
  readonly group: UpdateGroup;
  readonly members = new Set<Membership>();
  readonly #options: PeerGroupOptions;
  /** Members that do not know all the group has told. */
  readonly #behind = new Set<Membership>();
  #pause: Cancel | undefined;

  constructor(group: UpdateGroup, options: PeerGroupOptions) {
    this.group = group;
    this.#options = options;
  }

  join(member: Membership): void {
    this.members.add(member);
    this.#behind.add(member);
  }

  /** True where it was one. */
  leave(member: Membership): boolean {
    this.#behind.delete(member);
    if (!this.members.delete(member)) return false;
    member.close();
    return true;
  }

  /** The peer asks for everything again. */
  refresh(member: Membership): void {
    member.refresh();
    this.#behind.add(member);
  }

  close(): void {
    this.#pause?.();
    this.group.close();
  }

  /**
   * Works until there is nothing to do or it is late.
   *
   * @returns true while more can be done right now
   */
  advance(isLate: () => boolean): boolean {
    const more = this.#readNews(isLate);
    return this.#catchUp(isLate) || more;
  }

  #readNews(isLate: () => boolean): boolean {
    let told = false;
    while (this.#pause === undefined && !this.group.settled) {
      if (this.group.fed && !this.#someoneKeepsUp()) return false;
      const deliver: Deliver = (batch, ids, only) => {
        told = true;
        for (const member of this.members) {
          member.deliver(batch, ids, only);
          if (!member.current) this.#behind.add(member);
        }
      };
      this.group.advance(BATCH, deliver, isLate);
      if (isLate()) return !this.group.settled;
    }
    if (told) this.#pauseForInterval();
    return false;
  }

  #someoneKeepsUp(): boolean {
    for (const member of this.members) if (member.keepsUp) return true;
    return false;
  }

  #pauseForInterval(): void {
    const { intervalSeconds, clock, random, wake } = this.#options;
    if (intervalSeconds === 0) return;
    // RFC 4271 §10: 0.75 to 1 of the time, anew each time, so that speakers do not fall into step.
    const jitter = 0.75 + 0.25 * random();
    this.#pause = clock.after(seconds(intervalSeconds) * jitter, 'advertisement interval', () => {
      this.#pause = undefined;
      wake();
    });
  }

  /** A step for each in turn, so that those who came together share the slices of the table. */
  #catchUp(isLate: () => boolean): boolean {
    let more = true;
    while (more && !isLate()) {
      more = false;
      for (const member of this.#behind) {
        more = member.advance() || more;
        if (member.current) this.#behind.delete(member);
        if (isLate()) break;
      }
    }
    if (this.#behind.size === 0) this.group.rest();
    return more;
  }
}
