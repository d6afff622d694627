/** FRR in the matrix. */
import { Frr } from '../peers/frr.ts';
import type { Lab } from '../peers/lab.ts';
import { external, type NeighbourSetup, type Router, type RouterSetup } from './router.ts';
import { extendedFromWords, type Shown } from './shown.ts';

interface PathJson {
  readonly peer: { readonly peerId: string };
  readonly aspath: { readonly string: string };
  readonly aggregatorAs?: number;
  readonly aggregatorId?: string;
  readonly origin: string;
  readonly metric?: number;
  readonly locPrf?: number;
  readonly atomicAggregate?: boolean;
  readonly community?: { readonly list: readonly string[] };
  readonly extendedCommunity?: { readonly string: string };
  readonly largeCommunity?: { readonly list: readonly string[] };
  readonly originatorId?: string;
  readonly clusterList?: { readonly list: readonly string[] };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
}

/** Communities that it prints by name. */
const WELL_KNOWN: Readonly<Record<string, string>> = { noPeer: '65535:65284', 'no-peer': '65535:65284' };

export class FrrRouter implements Router {
  readonly #frr: Frr;
  #asn = 0;

  constructor(lab: Lab, node: string) {
    this.#frr = new Frr(lab, node);
  }

  async start(setup: RouterSetup): Promise<void> {
    this.#asn = setup.asn;
    await this.#frr.start(
      [
        'frr defaults traditional',
        'hostname router',
        `router bgp ${setup.asn}`,
        ` bgp router-id ${setup.routerId}`,
        ' bgp log-neighbor-changes',
        ' no bgp ebgp-requires-policy',
        ' no bgp default ipv4-unicast',
        ` timers bgp ${Math.floor(setup.holdSeconds / 3)} ${setup.holdSeconds}`,
        ...setup.neighbours.flatMap((neighbour) => neighbourLines(setup, neighbour)),
        '',
      ].join('\n'),
    );
  }

  async established(neighbour: string): Promise<boolean> {
    const all = (await this.#frr.json(`show bgp neighbors ${neighbour}`)) as Record<
      string,
      { bgpState?: string }
    >;
    return all[neighbour]?.bgpState === 'Established';
  }

  async routes(): Promise<readonly Shown[]> {
    const routes: Shown[] = [];
    for (const version of ['ipv4', 'ipv6']) {
      const text = await this.#frr.vtysh(`show bgp ${version} unicast json detail`);
      const table = JSON.parse(text) as {
        routes: Record<string, readonly (PathJson | { prefix: string })[]>;
      };
      for (const [prefix, entries] of Object.entries(table.routes))
        for (const entry of entries) if ('aspath' in entry) routes.push(shown(prefix, entry));
    }
    return routes;
  }

  async lastWords(neighbour: string): Promise<string> {
    const log = (await this.#frr.log())
      .split('\n')
      .filter((each) => each.includes(`received from neighbor ${neighbour} `));
    return `${log.at(-1)}\n${await this.#frr.vtysh(`show bgp neighbors ${neighbour}`)}`;
  }

  async shut(neighbour: string, words: string): Promise<void> {
    await this.#frr.configure([`router bgp ${this.#asn}`, `neighbor ${neighbour} shutdown message ${words}`]);
  }

  async open(neighbour: string): Promise<void> {
    await this.#frr.configure([`router bgp ${this.#asn}`, `no neighbor ${neighbour} shutdown`]);
  }

  async refresh(neighbour: string): Promise<void> {
    await this.#frr.vtysh(`clear bgp ${neighbour} soft in`);
  }

  freeze(): void {
    this.#frr.freeze();
  }

  thaw(): void {
    this.#frr.thaw();
  }

  async kill(): Promise<void> {
    await this.#frr.kill();
  }
}

function neighbourLines(setup: RouterSetup, neighbour: NeighbourSetup): readonly string[] {
  const { address, asn } = neighbour;
  const old = neighbour.old === true;
  const family = (name: string): readonly string[] => [
    ` address-family ${name} unicast`,
    `  neighbor ${address} activate`,
    ...(external(setup, neighbour) ? [`  neighbor ${address} next-hop-self`] : []),
    ' exit-address-family',
  ];
  return [
    ` neighbor ${address} remote-as ${asn}`,
    ` neighbor ${address} passive`,
    ...(old ? [` neighbor ${address} dont-capability-negotiate`] : []),
    ...family('ipv4'),
    ...(old ? [] : family('ipv6')),
  ];
}

function shown(prefix: string, path: PathJson): Shown {
  return {
    prefix,
    from: path.peer.peerId,
    nextHop: path.nexthops.find(({ scope }) => scope !== 'link-local')?.ip ?? '',
    asPath: path.aspath.string === 'Local' ? '' : path.aspath.string,
    origin: path.origin,
    med: path.metric ?? 0,
    localPref: path.locPrf,
    aggregator: path.aggregatorAs === undefined ? undefined : `${path.aggregatorAs} ${path.aggregatorId}`,
    atomicAggregate: path.atomicAggregate ?? false,
    communities: (path.community?.list ?? []).map((text) => WELL_KNOWN[text] ?? text),
    extended: (path.extendedCommunity?.string ?? '')
      .split(' ')
      .filter((word) => word !== '')
      .map(extended),
    large: path.largeCommunity?.list ?? [],
    originatorId: path.originatorId,
    clusterList: path.clusterList?.list.join(' '),
    unknown: undefined,
  };
}

function extended(text: string): string {
  const [kind = '', first = '', second = ''] = text.split(':');
  // Encapsulation (RFC 9012 §4.1): its tunnel type alone is printed.
  if (kind === 'ET') return `030c00000000${Number(first).toString(16).padStart(4, '0')}`;
  return extendedFromWords(kind, first, second);
}
