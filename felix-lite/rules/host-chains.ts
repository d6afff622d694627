/**
 * The chains of the host's own interfaces, and how packets come to them. Each place in the kernel has its own: `raw`
 * before connections are known (doNotTrack), `mangle` PREROUTING before the destination changes (preDNAT), `filter` for
 * the rest, and `mangle` POSTROUTING for what the host sends to a changed destination, whose way out is not known
 * earlier.
 */
import type { Direction, HostInterface, TierPolicies } from '../calc/model.ts';
import { ALL_INTERFACES } from '../calc/local-hosts.ts';
import { dispatchTree } from './dispatch.ts';
import { type EndpointChainOptions, endpointChain } from './endpoint-chains.ts';
import { FAILSAFE_IN, FAILSAFE_OUT } from './failsafe.ts';
import type { Marks } from './marks.ts';
import { limitName } from './names.ts';
import { type Chain, type Rule, type TableName, rule } from './types.ts';

export const FROM_HOST_ENDPOINT = 'cali-from-host-endpoint';
export const TO_HOST_ENDPOINT = 'cali-to-host-endpoint';
export const FROM_HOST_FORWARD = 'cali-from-hep-forward';
export const TO_HOST_FORWARD = 'cali-to-hep-forward';

/** What `*` is called in the names of chains. */
const ANY_INTERFACE = 'any-interface-at-all';

export type ChainsByTable = ReadonlyMap<TableName, readonly Chain[]>;

interface Place {
  readonly table: TableName;
  readonly root: string;
  readonly prefix: string;
  readonly direction: Direction;
  readonly tiers: (host: HostInterface) => readonly TierPolicies[];
  /** False: the interface has nothing to ask here. */
  readonly applies: (host: HostInterface) => boolean;
  readonly options: Omit<EndpointChainOptions, 'profiles'>;
  readonly profiles: boolean;
}

const has =
  (stage: 'untracked' | 'preDNAT', direction: Direction) =>
  (host: HostInterface): boolean =>
    host[stage].some((tier) => tier[direction].length > 0);
const always = (): boolean => true;

const FROM = { root: FROM_HOST_ENDPOINT, prefix: 'cali-fh-', direction: 'ingress' } as const;
const TO = { root: TO_HOST_ENDPOINT, prefix: 'cali-th-', direction: 'egress' } as const;

const PLACES: readonly Place[] = [
  {
    table: 'raw',
    ...FROM,
    tiers: (host) => host.untracked,
    applies: has('untracked', 'ingress'),
    options: { stage: 'untracked', failsafe: FAILSAFE_IN },
    profiles: false,
  },
  {
    table: 'raw',
    ...TO,
    tiers: (host) => host.untracked,
    applies: has('untracked', 'egress'),
    options: { stage: 'untracked', failsafe: FAILSAFE_OUT },
    profiles: false,
  },
  {
    table: 'mangle',
    ...FROM,
    tiers: (host) => host.preDNAT,
    applies: has('preDNAT', 'ingress'),
    options: { stage: 'preDNAT', failsafe: FAILSAFE_IN },
    profiles: false,
  },
  {
    table: 'mangle',
    ...TO,
    tiers: (host) => host.normal,
    applies: always,
    options: { stage: 'normal', failsafe: FAILSAFE_OUT, returns: true },
    profiles: true,
  },
  {
    table: 'filter',
    ...FROM,
    tiers: (host) => host.normal,
    applies: always,
    options: { stage: 'normal', failsafe: FAILSAFE_IN },
    profiles: true,
  },
  {
    table: 'filter',
    ...TO,
    tiers: (host) => host.normal,
    applies: always,
    options: { stage: 'normal', failsafe: FAILSAFE_OUT },
    profiles: true,
  },
  {
    table: 'filter',
    root: FROM_HOST_FORWARD,
    prefix: 'cali-fhfw-',
    direction: 'ingress',
    tiers: (host) => host.forward,
    applies: always,
    options: { stage: 'forward' },
    profiles: false,
  },
  {
    table: 'filter',
    root: TO_HOST_FORWARD,
    prefix: 'cali-thfw-',
    direction: 'egress',
    tiers: (host) => host.forward,
    applies: always,
    options: { stage: 'forward' },
    profiles: false,
  },
];

/** Everything that these interfaces need, dispatch included; with none of them, chains that let pass. */
export function hostChains(
  hosts: readonly HostInterface[],
  interfacePrefix: string,
  marks: Marks,
): ChainsByTable {
  const chains = PLACES.flatMap((place) =>
    chainsAt(place, hosts, interfacePrefix, marks).map((chain) => [place.table, chain] as const),
  );
  const byTable = Map.groupBy(chains, ([table]) => table);
  return new Map([...byTable].map(([table, list]) => [table, list.map(([, chain]) => chain)]));
}

function chainsAt(
  { root, prefix, direction, tiers, applies, options, profiles }: Place,
  hosts: readonly HostInterface[],
  interfacePrefix: string,
  marks: Marks,
): readonly Chain[] {
  const wildcard = hosts.find((host) => host.interfaceName === ALL_INTERFACES);
  // Where `*` is asked, every other endpoint must keep its own packets away from it.
  const any = wildcard !== undefined && applies(wildcard);
  const asked = hosts.filter((host) => any || applies(host));
  const name = (interfaceName: string): string =>
    limitName(prefix, interfaceName === ALL_INTERFACES ? ANY_INTERFACE : interfaceName);
  const by = direction === 'ingress' ? 'in-interface' : 'out-interface';
  const end: readonly Rule[] = any
    ? [
        rule(
          [{ kind: by, name: `${interfacePrefix}+` }],
          { kind: 'return' },
          'Workloads have their own policy',
        ),
        rule([], { kind: 'goto', chain: name(ALL_INTERFACES) }),
      ]
    : [];
  const named = asked.map((host) => host.interfaceName).filter((each) => each !== ALL_INTERFACES);
  return [
    ...dispatchTree({ root, by, names: named, target: name, end }),
    ...asked.flatMap((host) =>
      endpointChain(name(host.interfaceName), tiers(host), direction, marks, {
        ...options,
        profiles: profiles ? host.profiles : undefined,
      }),
    ),
  ];
}
