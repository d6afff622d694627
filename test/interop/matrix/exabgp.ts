/**
 * ExaBGP in the matrix. It keeps no table and passes nothing on: what another router would pass on, it announces from its
 * configuration; what it was told is added up from what it reports to its program.
 */
import { formatAsPath } from '../../../bgpd/index.ts';
import { Exabgp } from '../peers/exabgp.ts';
import type { Lab } from '../peers/lab.ts';
import {
  external,
  ipv6,
  type Announced,
  type NeighbourSetup,
  type Router,
  type RouterSetup,
} from './router.ts';
import { hex, plainFlags, type Shown } from './shown.ts';

interface AttributeJson {
  readonly origin: string;
  readonly 'as-path'?: readonly number[];
  readonly 'as-set'?: readonly number[];
  readonly med?: number;
  readonly 'local-preference'?: number;
  readonly 'atomic-aggregate'?: boolean;
  readonly aggregator?: string;
  readonly community?: readonly (readonly [number, number])[];
  readonly 'extended-community'?: readonly { readonly value: number | bigint }[];
  readonly 'large-community'?: readonly (readonly number[])[];
  readonly 'originator-id'?: string;
  readonly 'cluster-list'?: readonly string[];
  readonly [unknown: `attribute-0x${string}`]: string;
}

interface EventJson {
  readonly type: string;
  readonly neighbor: {
    readonly address: { readonly peer: string };
    readonly state?: string;
    readonly reason?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: AttributeJson;
        readonly announce?: Readonly<
          Record<string, Readonly<Record<string, readonly { readonly nlri: string }[]>>>
        >;
        readonly withdraw?: Readonly<Record<string, readonly { readonly nlri: string }[]>>;
      };
    };
  };
}

const ORIGINS: Readonly<Record<string, string>> = { igp: 'IGP', egp: 'EGP', incomplete: 'incomplete' };

export class ExabgpRouter implements Router {
  readonly #exabgp: Exabgp;

  constructor(lab: Lab, node: string) {
    this.#exabgp = new Exabgp(lab, node);
  }

  async start(setup: RouterSetup): Promise<void> {
    await this.#exabgp.start(
      setup.neighbours.map((neighbour) => neighbourBlock(setup, neighbour)).join('\n'),
    );
  }

  async established(neighbour: string): Promise<boolean> {
    return (await this.#lastState(neighbour))?.state === 'up';
  }

  async routes(): Promise<readonly Shown[]> {
    const table = new Map<string, Shown>();
    for (const { type, neighbor } of (await this.#exabgp.events()) as readonly EventJson[]) {
      const from = neighbor.address.peer;
      if (type === 'state' && neighbor.state === 'down')
        for (const [key, route] of table) if (route.from === from) table.delete(key);
      const update = neighbor.message?.update;
      for (const withdrawn of Object.values(update?.withdraw ?? {}))
        for (const { nlri } of withdrawn) table.delete(`${from} ${nlri}`);
      for (const byNextHop of Object.values(update?.announce ?? {}))
        for (const [nextHop, nlris] of Object.entries(byNextHop))
          for (const { nlri } of nlris)
            if (update?.attribute !== undefined)
              table.set(`${from} ${nlri}`, shown(nlri, from, nextHop, update.attribute));
    }
    return [...table.values()];
  }

  async lastWords(neighbour: string): Promise<string> {
    return (await this.#lastState(neighbour))?.reason ?? '';
  }

  /** Its command takes a subcode and no words. */
  async shut(neighbour: string): Promise<void> {
    await this.#exabgp.command(`neighbor ${neighbour} teardown 2`);
  }

  /** It comes back by itself. */
  async open(): Promise<void> {
    // Nothing to do.
  }

  async refresh(neighbour: string): Promise<void> {
    await this.#exabgp.command(
      `neighbor ${neighbour} announce route-refresh ipv4 unicast`,
      `neighbor ${neighbour} announce route-refresh ipv6 unicast`,
    );
  }

  /** Of its API, as it stands. */
  async command(line: string): Promise<void> {
    await this.#exabgp.command(line);
  }

  freeze(): void {
    this.#exabgp.freeze();
  }

  thaw(): void {
    this.#exabgp.thaw();
  }

  async kill(): Promise<void> {
    await this.#exabgp.kill();
  }

  async #lastState(neighbour: string): Promise<EventJson['neighbor'] | undefined> {
    const events = (await this.#exabgp.events()) as readonly EventJson[];
    return events.findLast(({ type, neighbor }) => type === 'state' && neighbor.address.peer === neighbour)
      ?.neighbor;
  }
}

function neighbourBlock(setup: RouterSetup, neighbour: NeighbourSetup): string {
  const { address, asn, old } = neighbour;
  const outside = external(setup, neighbour);
  const told = address === setup.feed.v4 || address === setup.feed.v6 ? [] : setup.feed.routes;
  return `neighbor ${address} {
  router-id ${setup.routerId};
  local-address ${ipv6(address) ? setup.v6 : setup.v4};
  local-as ${setup.asn};
  peer-as ${old === true && asn > 65_535 ? 23_456 : asn};
  hold-time ${setup.holdSeconds};
  passive;
  family { ipv4 unicast; ipv6 unicast; }
  capability { route-refresh enable; asn4 ${old === true ? 'disable' : 'enable'}; }
  api { processes [ ${Exabgp.PROGRAM} ]; neighbor-changes; receive { parsed; update; } }
  static {
${told.map((route) => statement(setup, outside, route)).join('\n')}
  }
}`;
}

/** The route as a router would pass it on that had it from the feeder. */
function statement(setup: RouterSetup, outside: boolean, { prefix, attributes }: Announced): string {
  const path = outside ? `${setup.asn} ${setup.feed.asn}` : String(setup.feed.asn);
  const rest = formatAsPath(attributes.asPath).replaceAll(
    /\{([^}]*)\}/g,
    (_, set: string) => `( ${set.replaceAll(',', ' ')} )`,
  );
  const [v4, v6] = outside ? [setup.v4, setup.v6] : [setup.feed.v4, setup.feed.v6];
  const { aggregator, med, unknown } = attributes;
  return [
    `route ${prefix} next-hop ${ipv6(prefix) ? v6 : v4} origin ${attributes.origin.toLowerCase()}`,
    `as-path [ ${path} ${rest} ]`,
    !outside && med !== undefined ? `med ${med}` : '',
    outside ? '' : 'local-preference 100',
    attributes.atomicAggregate === true ? 'atomic-aggregate' : '',
    aggregator === undefined ? '' : `aggregator ( ${aggregator.asn}:${aggregator.address.toString()} )`,
    list(
      'community',
      attributes.communities?.map((value) => `${value >>> 16}:${value & 0xffff}`),
    ),
    list(
      'extended-community',
      attributes.extendedCommunities?.map((value) => `0x${hex(value)}`),
    ),
    list(
      'large-community',
      attributes.largeCommunities?.map((c) => `${c.global}:${c.local1}:${c.local2}`),
    ),
    ...(unknown ?? []).map(
      ({ code, flags, value }) =>
        `attribute [ 0x${code.toString(16)} 0x${(flags | 0x20).toString(16)} 0x${Buffer.from(value).toString('hex')} ]`,
    ),
  ]
    .filter((word) => word !== '')
    .join(' ')
    .concat(';');
}

function list(name: string, values: readonly string[] | undefined): string {
  return values === undefined ? '' : `${name} [ ${values.join(' ')} ]`;
}

function shown(prefix: string, from: string, nextHop: string, attribute: AttributeJson): Shown {
  const set = attribute['as-set'];
  const path = [
    ...(attribute['as-path'] ?? []).map(String),
    ...(set === undefined ? [] : [`{${set.join(',')}}`]),
  ];
  return {
    prefix,
    from,
    nextHop,
    asPath: path.join(' '),
    origin: ORIGINS[attribute.origin] ?? '',
    med: attribute.med ?? 0,
    localPref: attribute['local-preference'],
    aggregator: attribute.aggregator?.replace(':', ' '),
    atomicAggregate: attribute['atomic-aggregate'] ?? false,
    communities: (attribute.community ?? []).map((parts) => parts.join(':')),
    extended: (attribute['extended-community'] ?? []).map(({ value }) => hex(BigInt(value))),
    large: (attribute['large-community'] ?? []).map((parts) => parts.join(':')),
    originatorId: attribute['originator-id'],
    clusterList: attribute['cluster-list']?.join(' '),
    unknown: Object.entries(attribute).flatMap(([name, value]) => {
      const found = /^attribute-0x(\w+)-0x(\w+)$/.exec(name);
      return found === null
        ? []
        : [
            `${Number(`0x${found[1]}`)}.${plainFlags(Number(`0x${found[2]}`))}.${String(value).slice(2).toLowerCase()}`,
          ];
    }),
  };
}
