/** Since when each finding has been seen without interruption. */
import type { Millis } from '../../clock/clock.ts';
import type { Finding } from './findings.ts';

export class Grace {
  #since = new Map<string, Millis>();
  #last: Millis | undefined;

  /**
   * @param now  monotonic
   * @param longestGap  nobody looked for longer than this: what was seen before counts no more
   * @returns the findings with the time since each was first seen
   */
  see(
    findings: readonly Finding[],
    now: Millis,
    longestGap: Millis,
  ): { readonly finding: Finding; readonly age: Millis }[] {
    const before = this.#last === undefined || now - this.#last > longestGap ? undefined : this.#since;
    this.#last = now;
    this.#since = new Map(findings.map(({ id }) => [id, before?.get(id) ?? now]));
    return findings.map((finding) => ({ finding, age: now - (this.#since.get(finding.id) ?? now) }));
  }
}
