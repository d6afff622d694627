/**
 * How a session that keeps failing is slowed down (RFC 4271 §8.1.1, IdleHoldTime with DampPeerOscillations). The RFC
 * leaves the growth open. Here: the first end after a stable time costs a second, and each further one twice as much
 * as the last, up to a minute; an Established session that lasts {@link STABLE_SECONDS} is forgiven everything.
 *
 * The RFC has Idle refuse the peer's calls, as BIRD and GoBGP do. Two speakers that both do so can miss each other for
 * good: a refused call is a failure to the caller, so each holds, calls into the other's hold, and holds again. So a call
 * that comes too early is not refused here but waits, unanswered, as if DelayOpen ran (§8.1.1). After failures to come
 * up it waits two seconds; after sessions that were up and fell, which cost the network most, the whole hold.
 *
 * What follows: once nothing fails any more, two speakers meet at the first call of either that gets through, however
 * much either is damped: within {@link LONGEST_IDLE_HOLD_SECONDS}, or ConnectRetryTime where a call was lost on the way.
 */
export const FIRST_IDLE_HOLD_SECONDS = 1;
export const LONGEST_IDLE_HOLD_SECONDS = 60;
export const STABLE_SECONDS = 60;
/** Less than the least hold time (RFC 4271 §4.2): some callers wait no longer than that for an OPEN. */
export const LONGEST_QUIET_AFTER_FAILURE_SECONDS = 2;
/** A call that has waited may be dead by now. If it has not come up after this long, we call ourselves. */
export const ANSWERED_SECONDS = 2;

/** @param ends connections that ended badly since the last stable session (ConnectRetryCounter) */
export function idleHoldSeconds(ends: number): number {
  return Math.min(
    LONGEST_IDLE_HOLD_SECONDS,
    FIRST_IDLE_HOLD_SECONDS * 2 ** Math.max(0, Math.min(ends, 16) - 1),
  );
}

/**
 * How long calls of the peer wait for an answer. Not at all after a single end: a peer that restarts comes back at once.
 *
 * @param ends  as for {@link idleHoldSeconds}
 * @param flapped  what ended was Established
 */
export function quietSeconds(ends: number, flapped: boolean): number {
  if (ends <= 1) return 0;
  const hold = idleHoldSeconds(ends);
  return flapped ? hold : Math.min(hold, LONGEST_QUIET_AFTER_FAILURE_SECONDS);
}
