/**
 * How Node runs felix-lite, wherever it is started: by the agent of a node, in the bench.
 *
 * A small young generation is collected often and in no time: of a pass, next to nothing outlives it. By one thread alone,
 * since V8's other threads stand behind ours here (`daemon/helper-threads.ts`): a collection that they have a part in waits
 * for them. Together they take a fifth off the longest passes.
 */
export const FELIX_FLAGS: readonly string[] = ['--max-semi-space-size=4', '--no-parallel-scavenge'];
