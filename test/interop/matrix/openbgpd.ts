/** OpenBGPD in the matrix. */
import type { Lab } from '../peers/lab.ts';
import { Openbgpd } from '../peers/openbgpd.ts';
import { external, type NeighbourSetup, type Router, type RouterSetup } from './router.ts';
import { extendedFromWords, type Shown } from './shown.ts';

interface RouteJson {
  readonly prefix: string;
  readonly aspath: string;
  readonly exit_nexthop: string;
  readonly neighbor: { readonly remote_addr: string };
  readonly origin: string;
  readonly metric: number;
  readonly localpref: number;
  readonly communities?: readonly string[];
  readonly extended_communities?: readonly string[];
  readonly large_communities?: readonly string[];
  readonly attributes?: readonly AttributeJson[];
}

interface AttributeJson {
  readonly type: string;
  readonly flags: { readonly partial: boolean; readonly transitive: boolean; readonly optional: boolean };
  readonly AS?: number;
  readonly router_id?: string;
  readonly data?: string;
  readonly originator?: string;
  readonly cluster_ids?: readonly string[];
}

interface NeighbourJson {
  readonly state: string;
  readonly last_shutdown_reason?: string;
  readonly last_error_received?: string;
}

export class OpenbgpdRouter implements Router {
  readonly #openbgpd: Openbgpd;

  constructor(lab: Lab, node: string) {
    this.#openbgpd = new Openbgpd(lab, node);
  }

  async start(setup: RouterSetup): Promise<void> {
    await this.#openbgpd.start(
      [
        `AS ${setup.asn}`,
        `router-id ${setup.routerId}`,
        `holdtime ${setup.holdSeconds}`,
        'listen on 0.0.0.0',
        'listen on ::',
        ...setup.neighbours.map((neighbour) => neighbourBlock(setup, neighbour)),
        'allow from any',
        'allow to any',
        // Of itself it gives 0.0.0.0 and :: as next hop where the session is of the other IP version.
        ...[`inet set nexthop ${setup.v4}`, `inet6 set nexthop ${setup.v6}`].map(
          (set) => `match to ebgp ${set}`,
        ),
        // With `multihop`, that is what it then leaves alone.
        'match to ebgp set nexthop no-modify',
        '',
      ].join('\n'),
    );
  }

  async established(neighbour: string): Promise<boolean> {
    return (await this.#neighbour(neighbour)).state === 'Established';
  }

  async routes(): Promise<readonly Shown[]> {
    const { rib } = (await this.#openbgpd.json('show', 'rib', 'detail')) as { rib: readonly RouteJson[] };
    return rib.map(shown);
  }

  async lastWords(neighbour: string): Promise<string> {
    const { last_error_received, last_shutdown_reason } = await this.#neighbour(neighbour);
    return `${last_error_received}: ${last_shutdown_reason}`;
  }

  async shut(neighbour: string, words: string): Promise<void> {
    await this.#openbgpd.bgpctl('neighbor', neighbour, 'down', words);
  }

  async open(neighbour: string): Promise<void> {
    await this.#openbgpd.bgpctl('neighbor', neighbour, 'up');
  }

  async refresh(neighbour: string): Promise<void> {
    await this.#openbgpd.bgpctl('neighbor', neighbour, 'refresh');
  }

  freeze(): void {
    this.#openbgpd.freeze();
  }

  thaw(): void {
    this.#openbgpd.thaw();
  }

  async kill(): Promise<void> {
    await this.#openbgpd.kill();
  }

  async #neighbour(address: string): Promise<NeighbourJson> {
    const { neighbors } = (await this.#openbgpd.json('show', 'neighbor', address)) as {
      neighbors: readonly [NeighbourJson];
    };
    return neighbors[0];
  }
}

function neighbourBlock(setup: RouterSetup, neighbour: NeighbourSetup): string {
  const { address, asn, old } = neighbour;
  return `neighbor ${address} {
  remote-as ${asn}
  passive
  ${external(setup, neighbour) ? 'multihop 2' : ''}
  announce IPv4 unicast
  announce IPv6 unicast
  ${old === true ? 'announce as-4byte no' : ''}
}`;
}

function shown(route: RouteJson): Shown {
  const attribute = (type: string): AttributeJson | undefined =>
    route.attributes?.find((each) => each.type === type);
  const aggregator = attribute('Aggregator');
  return {
    prefix: route.prefix,
    from: route.neighbor.remote_addr,
    nextHop: route.exit_nexthop,
    asPath: route.aspath.replaceAll(/\{ ([^}]*) \}/g, (_, set: string) => `{${set.replaceAll(' ', ',')}}`),
    origin: route.origin,
    med: route.metric,
    localPref: route.localpref,
    aggregator: aggregator === undefined ? undefined : `${aggregator.AS} ${aggregator.router_id}`,
    atomicAggregate: attribute('Atomic Aggregate') !== undefined,
    communities: (route.communities ?? []).map((text) => (text === 'NO_PEER' ? '65535:65284' : text)),
    extended: (route.extended_communities ?? []).map(extended),
    large: route.large_communities ?? [],
    originatorId: attribute('Originator Id')?.originator,
    clusterList: attribute('Cluster Id List')?.cluster_ids?.join(' '),
    unknown: (route.attributes ?? []).flatMap(({ type, flags, data }) => {
      const code = /^Unknown Attribute #(\d+)$/.exec(type)?.[1];
      const bits = (flags.optional ? 0x80 : 0) + (flags.transitive ? 0x40 : 0) + (flags.partial ? 0x20 : 0);
      return code === undefined ? [] : [`${code}.${bits}.${data}`];
    }),
  };
}

function extended(text: string): string {
  const [kind = '', value = ''] = text.split(' ');
  // Encapsulation (RFC 9012 §4.1) is opaque to it.
  if (kind === '[12]') return `030c${value.slice(2).padStart(12, '0')}`;
  const [global = '', local = ''] = value.split(':');
  return extendedFromWords(kind, global, local);
}
