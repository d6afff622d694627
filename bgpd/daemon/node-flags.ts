/**
 * How Node runs the BGP daemon, wherever it is started: by the agent of a node, by `bin/poplin` (which cannot read this
 * and repeats it, held to it by a test), in the bench.
 *
 * A young generation of 4 MiB instead of up to 16: what comes in either stays (paths, attribute sets) or is gone at once,
 * so a larger one only takes longer to fill. Measured with 1,000,000 IPv4 and 200,000 IPv6 prefixes: 50 and 45 MiB less
 * at the peak, and the same CPU seconds within the noise; at 1 MiB they begin to grow, at 32 MiB they are no better.
 *
 * The old generation is collected when it has grown by 60 percent, in place of up to 300: with little on the heap beside the
 * columns, V8 otherwise lets 25 MiB of what is gone stand while a table of a million loads. Costs some 5 percent of the
 * processor time; at 30 it costs twice that, for 4 MiB.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=4', '--heap-growing-percent=60'];
