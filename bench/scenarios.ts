/** The seven scenarios of the bench, as data. */
import { ON_CABLE, TARGET_V4, TARGET_V6 } from './rig.ts';
import type { IpVersion, Plan, RouteRange, Station } from './traffic/plan.ts';
import { TARGET_ASN } from './traffic/routes.ts';

export interface Scenario {
  /** `a`, `c500`: as asked for on the command line. */
  readonly name: string;
  readonly title: string;
  /** What the figure in the first column of its table is. */
  readonly figure: 'seconds' | 'latency';
  /** A run that takes longer has lost. */
  readonly limitSeconds: number;
  /** @param scale 1 for the real thing, less for a quick look */
  plan(scale: number): Plan;
}

const PER_SET = 5;
const FLAPS = 400;
const CHURN_ROUNDS = 10;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a',
    title: '1 peer x 1,000,000 IPv4 prefixes, 5 to an attribute set, to 1 receiver (eBGP)',
    figure: 'seconds',
    limitSeconds: 150,
    plan: (scale) => transit(4, scaled(1_000_000, scale), 1),
  },
  {
    name: 'b',
    title: 'reflector: 2 senders x 100,000 IPv4 prefixes, 50 receivers',
    figure: 'seconds',
    limitSeconds: 150,
    plan: (scale) => reflector(2, scaled(100_000, scale), 50),
  },
  {
    name: 'c500',
    title: 'reflector: 500 clients with 5 routes each, all to all',
    figure: 'seconds',
    limitSeconds: 120,
    plan: (scale) => mesh(scaled(500, scale)),
  },
  {
    name: 'c1000',
    title: 'reflector: 1,000 clients with 5 routes each, all to all',
    figure: 'seconds',
    limitSeconds: 150,
    plan: (scale) => mesh(scaled(1000, scale)),
  },
  {
    name: 'd',
    title: '1 peer x 200,000 IPv6 prefixes to 1 receiver (eBGP)',
    figure: 'seconds',
    limitSeconds: 60,
    plan: (scale) => transit(6, scaled(200_000, scale), 1),
  },
  {
    name: 'e',
    title: `one prefix flaps ${FLAPS} times beside a loaded table of 400,000, until both other peers know`,
    figure: 'latency',
    limitSeconds: 150,
    plan: (scale) => flap(scaled(400_000, scale)),
  },
  {
    name: 'f',
    title: `churn: 100,000 prefixes announced ${CHURN_ROUNDS} times over, each time with other attributes`,
    figure: 'seconds',
    limitSeconds: 120,
    plan: (scale) => ({
      ...transit(4, scaled(100_000, scale), 2),
      act: { kind: 'churn', rounds: CHURN_ROUNDS },
    }),
  },
  {
    name: 'g',
    title: 'a peer with 200,000 routes dies, until 10 receivers have all withdrawals',
    figure: 'seconds',
    limitSeconds: 90,
    plan: (scale) => ({ ...transit(4, scaled(200_000, scale), 10), act: { kind: 'death' } }),
  },
];

function scaled(count: number, scale: number): number {
  return Math.max(PER_SET, Math.round(count * scale));
}

/** One eBGP sender, some eBGP receivers. */
function transit(version: IpVersion, count: number, receivers: number): Plan {
  const sends = { first: 0, count, perSet: PER_SET };
  const stations = [
    onCable(version, 0, { sends }),
    ...Array.from({ length: receivers }, (_, i) => onCable(version, 1 + i, { expects: { first: 0, count } })),
  ];
  return { version, target: targetOf(version), stations, act: { kind: 'flood' } };
}

/** iBGP senders of different prefixes, and receivers of all of them; everybody a client. */
function reflector(senders: number, each: number, receivers: number): Plan {
  const expects = { first: 0, count: senders * each };
  const stations = [
    ...Array.from({ length: senders }, (_, i) =>
      client(i, { sends: { first: i * each, count: each, perSet: PER_SET } }),
    ),
    ...Array.from({ length: receivers }, (_, i) => client(senders + i, { expects })),
  ];
  return { version: 4, target: targetOf(4), stations, act: { kind: 'flood' } };
}

function mesh(clients: number): Plan {
  const count = clients * PER_SET;
  const stations = Array.from({ length: clients }, (_, i) => ({
    ...client(i, {
      sends: { first: i * PER_SET, count: PER_SET, perSet: PER_SET },
      expects: { first: 0, count },
    }),
    complete: count - PER_SET,
  }));
  return { version: 4, target: targetOf(4), stations, act: { kind: 'flood' } };
}

/** A loaded table from one peer, one prefix beside it from another, and a receiver. Both others have to hear of a flap. */
function flap(count: number): Plan {
  const stations = [
    {
      ...onCable(4, 0, { sends: { first: 0, count, perSet: PER_SET }, expects: { first: count, count: 2 } }),
      complete: 1,
    },
    onCable(4, 1, { sends: { first: count + 1, count: 1, perSet: 1 } }),
    { ...onCable(4, 2, { expects: { first: 0, count: count + 2 } }), complete: count + 1 },
  ];
  return { version: 4, target: targetOf(4), stations, act: { kind: 'flap', times: FLAPS, prefix: count } };
}

function targetOf(version: IpVersion): Plan['target'] {
  return { address: version === 4 ? TARGET_V4 : TARGET_V6, port: 179, asn: TARGET_ASN };
}

interface Task {
  readonly sends?: RouteRange;
  readonly expects?: { readonly first: number; readonly count: number };
}

/** An eBGP neighbour, each in an AS of its own. */
function onCable(version: IpVersion, i: number, task: Task): Station {
  if (i >= ON_CABLE) throw new RangeError(`there is no place number ${i} on the cable`);
  const host = 3 + i;
  const address = version === 4 ? `10.19.0.${host}` : `fd00:19::${host.toString(16)}`;
  return { address, routerId: 0x0a130000 + host, asn: TARGET_ASN + 1 + i, ...task };
}

/** An iBGP neighbour, behind the cable. */
function client(i: number, task: Task): Station {
  const host = i + 1;
  return {
    address: `10.20.${host >>> 8}.${host & 255}`,
    routerId: 0x0a140000 + host,
    asn: TARGET_ASN,
    ...task,
  };
}
