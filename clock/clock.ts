/** Time as a dependency: code takes a {@link Clock} through its constructor and never asks the machine. */

/** Milliseconds. As an instant: monotonic, from an arbitrary origin. */
export type Millis = number;

export type Cancel = () => void;

export interface Clock {
  /** Monotonic now. */
  now(): Millis;
  /** Wall-clock now, for what people and files see. */
  wall(): Date;
  /** Fires once after `delay`, unless cancelled. `name` shows up when a stuck daemon prints its timers. */
  after(delay: Millis, name: string, fire: () => void): Cancel;
}

export function seconds(count: number): Millis {
  return count * 1000;
}
