/** GoBGP in the matrix. */
import { Gobgp } from '../peers/gobgp.ts';
import type { Lab } from '../peers/lab.ts';
import { external, ipv6, type NeighbourSetup, type Router, type RouterSetup } from './router.ts';
import { community, extendedFromWords, plainFlags, type Shown } from './shown.ts';

interface AttributeJson {
  readonly type: number;
  readonly flags?: number;
  readonly value?: unknown;
  readonly as_paths?: readonly { readonly segment_type: number; readonly asns: readonly number[] }[];
  readonly nexthop?: string;
  readonly metric?: number;
  readonly as?: number;
  readonly address?: string;
  readonly communities?: readonly number[];
}

interface PathJson {
  readonly nlri: { readonly prefix: string };
  readonly attrs: readonly AttributeJson[];
  readonly 'neighbor-ip': string;
}

interface ExtendedJson {
  readonly type: number;
  readonly subtype: number;
  readonly value?: string;
  readonly tunnel_type?: number;
}

interface LargeJson {
  readonly ASN: number;
  readonly LocalData1: number;
  readonly LocalData2: number;
}

const ORIGINS = ['IGP', 'EGP', 'incomplete'];
const AS_SET = 1;

export class GobgpRouter implements Router {
  readonly #gobgp: Gobgp;

  constructor(lab: Lab, node: string) {
    this.#gobgp = new Gobgp(lab, node);
  }

  async start(setup: RouterSetup): Promise<void> {
    await this.#gobgp.start(
      [
        '[global.config]',
        `as = ${setup.asn}`,
        `router-id = "${setup.routerId}"`,
        'port = 179',
        ...setup.neighbours.flatMap((neighbour) => neighbourLines(setup, neighbour)),
        ...ownNextHop(setup),
      ].join('\n'),
    );
  }

  async established(neighbour: string): Promise<boolean> {
    const { state } = (await this.#gobgp.json('neighbor', neighbour)) as { state: { session_state: number } };
    return state.session_state === 6;
  }

  async routes(): Promise<readonly Shown[]> {
    const routes: Shown[] = [];
    for (const family of ['ipv4', 'ipv6']) {
      const text = await this.#gobgp.gobgp('-j', 'global', 'rib', '-a', family);
      const table = (text.trim() === '' ? {} : JSON.parse(text)) as Record<string, readonly PathJson[]>;
      routes.push(...Object.values(table).flat().map(shown));
    }
    return routes;
  }

  async lastWords(neighbour: string): Promise<string> {
    const heard = this.#gobgp
      .log()
      .split('\n')
      .filter((each) => each.includes('received notification') && each.includes(neighbour));
    return heard.at(-1) ?? '';
  }

  async shut(neighbour: string, words: string): Promise<void> {
    await this.#gobgp.gobgp('neighbor', neighbour, 'shutdown', '--reason', words);
  }

  async open(neighbour: string): Promise<void> {
    await this.#gobgp.gobgp('neighbor', neighbour, 'enable').catch(() => undefined);
  }

  async refresh(neighbour: string): Promise<void> {
    await this.#gobgp.gobgp('neighbor', neighbour, 'softresetin');
  }

  freeze(): void {
    this.#gobgp.freeze();
  }

  thaw(): void {
    this.#gobgp.thaw();
  }

  async kill(): Promise<void> {
    await this.#gobgp.kill();
  }
}

function neighbourLines(setup: RouterSetup, { address, asn }: NeighbourSetup): readonly string[] {
  return [
    '[[neighbors]]',
    '[neighbors.config]',
    `neighbor-address = "${address}"`,
    `peer-as = ${asn}`,
    '[neighbors.timers.config]',
    `hold-time = ${setup.holdSeconds}`,
    'idle-hold-time-after-reset = 1',
    '[neighbors.transport.config]',
    'passive-mode = true',
    ...['ipv4-unicast', 'ipv6-unicast'].flatMap((family) => [
      '[[neighbors.afi-safis]]',
      '[neighbors.afi-safis.config]',
      `afi-safi-name = "${family}"`,
    ]),
  ];
}

/**
 * It gives the session's own address as next hop of either family: an IPv6 route over IPv4 with ::ffff:10.0.0.2, an IPv4 route
 * over IPv6 in the form of RFC 8950 though that was not negotiated. Policy sets the right ones.
 */
function ownNextHop(setup: RouterSetup): readonly string[] {
  const outside = setup.neighbours
    .filter((neighbour) => external(setup, neighbour))
    .map(({ address }) => `"${address}/${ipv6(address) ? 128 : 32}"`);
  const sets = [4, 6].map((version) => ({
    name: `external${version}`,
    members: outside.filter((text) => ipv6(text) === (version === 6)),
  }));
  const statements = sets
    .filter(({ members }) => members.length > 0)
    .flatMap(({ name }) =>
      [
        ['ipv4-unicast', setup.v4],
        ['ipv6-unicast', setup.v6],
      ].flatMap(([family, nextHop]) => [
        '[[policy-definitions.statements]]',
        `name = "${name}-${family}"`,
        '[policy-definitions.statements.conditions.match-neighbor-set]',
        `neighbor-set = "${name}"`,
        '[policy-definitions.statements.conditions.bgp-conditions]',
        `afi-safi-in-list = ["${family}"]`,
        '[policy-definitions.statements.actions.bgp-actions]',
        `set-next-hop = "${nextHop}"`,
      ]),
    );
  return [
    '[global.apply-policy.config]',
    'export-policy-list = ["own-next-hop"]',
    'default-export-policy = "accept-route"',
    ...sets.flatMap(({ name, members }) => [
      '[[defined-sets.neighbor-sets]]',
      `neighbor-set-name = "${name}"`,
      `neighbor-info-list = [${members.join(', ')}]`,
    ]),
    '[[policy-definitions]]',
    'name = "own-next-hop"',
    ...statements,
  ];
}

function shown(path: PathJson): Shown {
  const attribute = (type: number): AttributeJson | undefined =>
    path.attrs.find((each) => each.type === type);
  const aggregator = attribute(7);
  return {
    prefix: path.nlri.prefix,
    from: path['neighbor-ip'],
    nextHop: attribute(3)?.nexthop ?? attribute(14)?.nexthop ?? '',
    asPath: (attribute(2)?.as_paths ?? [])
      .map(({ segment_type, asns }) => (segment_type === AS_SET ? `{${asns.join(',')}}` : asns.join(' ')))
      .join(' '),
    origin: ORIGINS[Number(attribute(1)?.value)] ?? '',
    med: attribute(4)?.metric ?? 0,
    localPref: attribute(5)?.value as number | undefined,
    aggregator: aggregator === undefined ? undefined : `${aggregator.as} ${aggregator.address}`,
    atomicAggregate: attribute(6) !== undefined,
    communities: (attribute(8)?.communities ?? []).map(community),
    extended: ((attribute(16)?.value ?? []) as readonly ExtendedJson[]).map(extended),
    large: ((attribute(32)?.value ?? []) as readonly LargeJson[]).map(
      (each) => `${each.ASN}:${each.LocalData1}:${each.LocalData2}`,
    ),
    originatorId: attribute(9)?.value as string | undefined,
    clusterList: (attribute(10)?.value as readonly string[] | undefined)?.join(' '),
    unknown: path.attrs
      .filter(({ type }) => type >= 128)
      .map(
        ({ type, flags, value }) =>
          `${type}.${plainFlags(flags)}.${Buffer.from(String(value), 'base64').toString('hex')}`,
      ),
  };
}

function extended({ type, subtype, value, tunnel_type }: ExtendedJson): string {
  if (tunnel_type !== undefined) return `030c00000000${tunnel_type.toString(16).padStart(4, '0')}`;
  const [global = '', local = ''] = String(value).split(':');
  const words = extendedFromWords(subtype === 2 ? 'rt' : 'soo', global, local);
  if (Number.parseInt(words.slice(0, 2), 16) !== type)
    throw new Error(`GoBGP prints type ${type} as ${value}`);
  return words;
}
