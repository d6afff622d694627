/**
 * How Node runs felix-lite, wherever it is started: by the agent of a node, in the bench.
 *
 * A young generation of 16 MiB from the start, not one that grows up to it: a first load, whose objects mostly stay, is collected a
 * quarter as often and takes a seventh less time. Passes make few objects, and their longest are the same with 4 MiB.
 */
export const FELIX_FLAGS: readonly string[] = ['--max-semi-space-size=16', '--min-semi-space-size=16'];
