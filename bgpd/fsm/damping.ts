/**
 * How long a session stays in Idle (RFC 4271 §8.1.1, IdleHoldTime with DampPeerOscillations). The RFC leaves the
 * growth open. Here: the first end after a stable time costs a second, and each further one twice as much as the
 * last, up to a minute; an Established session that lasts {@link STABLE_SECONDS} is forgiven everything.
 */
export const FIRST_IDLE_HOLD_SECONDS = 1;
export const LONGEST_IDLE_HOLD_SECONDS = 60;
export const STABLE_SECONDS = 60;

/** @param ends connections that ended badly since the last stable session (ConnectRetryCounter) */
export function idleHoldSeconds(ends: number): number {
  return Math.min(
    LONGEST_IDLE_HOLD_SECONDS,
    FIRST_IDLE_HOLD_SECONDS * 2 ** Math.max(0, Math.min(ends, 16) - 1),
  );
}

/**
 * Whether the peer's own connections are refused during the idle hold, as RFC 4271 §8.2.2 has it for Idle. Not after
 * a single end: a peer that restarts comes back at once, and to send it away would cost its retry time.
 */
export function refusesWhileHolding(ends: number): boolean {
  return ends > 1;
}
