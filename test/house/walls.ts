/** The walls of the house as data: which room may reach what, and why. `walls.test.ts` holds the code to them. */

export interface Floor {
  readonly rooms: readonly string[];
}

/**
 * Ground floor first. A room may import rooms on lower floors and itself, never a neighbour or a floor above.
 * The longest matching room name decides where a file lives (`bgpd/daemon` is not in `bgpd`).
 */
export const FLOORS: readonly Floor[] = [
  { rooms: ['net/addr', 'api', 'clock'] },
  { rooms: ['daemon'] },
  { rooms: ['net/kernel', 'datastore', 'bgpd'] },
  { rooms: ['ipam', 'felix-lite'] },
  { rooms: ['cni-plugin', 'bgpd/daemon'] },
  { rooms: ['node'] },
  { rooms: ['containerlab'] },
  { rooms: ['cli'] },
  { rooms: ['bench'] },
];

/** One ground-floor room may use another in this direction only. */
export const GROUND_FLOOR_STAIRS: readonly {
  readonly from: string;
  readonly to: string;
  readonly because: string;
}[] = [{ from: 'api', to: 'net/addr', because: 'schemas check addresses and prefixes' }];

export interface Purity {
  readonly room: string;
  readonly because: string;
}

/** Files under these rooms, tests apart, reach no I/O, no timer, no clock and no randomness, directly or through what they import. */
export const PURE: readonly Purity[] = [
  { room: 'api', because: 'what users write is checked the same everywhere, without looking at the machine' },
  { room: 'net/addr', because: 'addresses are values' },
  { room: 'clock/clock.ts', because: 'it is the interface that keeps the others pure' },
  { room: 'bgpd/wire', because: 'bytes in, values out' },
  { room: 'bgpd/decode', because: 'a capture reads the same wherever its octets come from' },
  { room: 'bgpd/fsm', because: 'time and sockets reach the FSM as events' },
  { room: 'bgpd/rib', because: 'the decision depends on the paths alone' },
  { room: 'bgpd/filter', because: 'a verdict depends on the route and the policy alone' },
  { room: 'bgpd/cluster', because: 'the configuration is a function of resources and the name of the node' },
  { room: 'bgpd/config', because: 'the configuration is a function of the text of a file' },
  { room: 'felix-lite/calc', because: 'what an endpoint needs depends on present resources alone' },
  { room: 'ipam/block.ts', because: 'block maths has no I/O' },
  { room: 'ipam/candidates.ts', because: 'the order of a search is a function of the host' },
  { room: 'ipam/pools.ts', because: 'the choice of a pool is a function of pools and node' },
  { room: 'ipam/gc/findings.ts', because: 'what is garbage is a function of what is there' },
  { room: 'ipam/gc/doubts.ts', because: 'so is whether to act upon it' },
  { room: 'felix-lite/routing/facts.ts', because: 'what routing knows is a function of resources' },
  { room: 'felix-lite/routing/plan.ts', because: 'what the kernel should hold is a function of that' },
  { room: 'felix-lite/rules', because: 'rules are values that a backend renders' },
];

/** Node modules that compute and touch nothing. */
export const PURE_NODE_MODULES: readonly string[] = ['node:crypto', 'node:util'];

/** Words that reach the outside without an import. */
export const IMPURE_WORDS =
  /\b(?:Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|process\.|console\.)/;

export interface Door {
  readonly module: RegExp;
  /** Files or rooms that may import it, tests apart. */
  readonly only: readonly string[];
  readonly because: string;
}

export const DOORS: readonly Door[] = [
  {
    module: /^node:ffi$/,
    only: ['net/kernel'],
    because: 'a wrong pointer kills the process: one room owns them',
  },
  { module: /^node:sqlite$/, only: ['datastore/embedded'], because: 'only datastore knows a database' },
  {
    module: /^(?:etcd3|@grpc\/.*|@kubernetes\/.*)$/,
    only: ['datastore'],
    because: 'only datastore knows a database',
  },
  {
    module: /^node:child_process$/,
    only: ['net/kernel', 'node', 'containerlab', 'bench'],
    because: 'kernel tools run behind net/kernel; only the agent, the lab and the bench start daemons',
  },
  { module: /^pino$/, only: ['daemon'], because: 'everything else logs through daemon/log.ts' },
  { module: /^yargs/, only: ['cli'], because: 'the command line is one room' },
];

/** Pairs that never meet, in either direction, at any distance. */
export const STRANGERS: readonly { readonly a: string; readonly b: string; readonly because: string }[] = [
  { a: 'bgpd', b: 'felix-lite', because: 'they meet in the datastore and in the kernel only' },
];
