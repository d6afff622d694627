/** BIRD in the matrix. */
import { Bird } from '../peers/bird.ts';
import type { Lab } from '../peers/lab.ts';
import { external, type NeighbourSetup, type Router, type RouterSetup } from './router.ts';
import { extendedFromWords, type Shown } from './shown.ts';

const ORIGINS: Readonly<Record<string, string>> = { IGP: 'IGP', EGP: 'EGP', Incomplete: 'incomplete' };

export class BirdRouter implements Router {
  readonly #bird: Bird;
  #neighbours: readonly string[] = [];

  constructor(lab: Lab, node: string) {
    this.#bird = new Bird(lab, node);
  }

  async start(setup: RouterSetup): Promise<void> {
    this.#neighbours = setup.neighbours.map(({ address }) => address);
    await this.#bird.start(
      [
        `router id ${setup.routerId};`,
        // BIRD 2.0 sends what a timer made only after its next look at the sockets, which in an idle one is up to 3 s away:
        // our hold timer could end the session before we hear that BIRD's has. A timer of its own wakes it each second.
        'protocol device { scan time 1; }',
        ...setup.neighbours.map((neighbour, i) => protocol(setup, neighbour, `n${i}`)),
      ].join('\n'),
    );
  }

  async established(neighbour: string): Promise<boolean> {
    return /BGP state:\s+Established/.test(
      await this.#bird.birdc(`show protocols all ${this.#name(neighbour)}`),
    );
  }

  async routes(): Promise<readonly Shown[]> {
    const text = await this.#bird.birdc('show route all');
    const routes: Shown[] = [];
    let prefix = '';
    let from = '';
    let fields = new Map<string, string>();
    const finish = (): void => {
      if (fields.size > 0) routes.push(shown(prefix, from, fields));
      fields = new Map();
    };
    for (const each of text.split('\n')) {
      const head = /^(\S+)?\s+(?:unicast|unreachable) \[n(\d+) /.exec(each);
      if (head !== null) {
        finish();
        prefix = head[1] ?? prefix;
        from = this.#neighbours[Number(head[2])] ?? '';
      }
      const field = /^\tBGP\.(.*?):? (.*)$/.exec(each);
      if (field !== null) fields.set((field[1] ?? '').replace(/:$/, ''), field[2] ?? '');
    }
    finish();
    return routes;
  }

  async lastWords(neighbour: string): Promise<string> {
    return this.#bird.birdc(`show protocols all ${this.#name(neighbour)}`);
  }

  async shut(neighbour: string, words: string): Promise<void> {
    await this.#bird.command(`disable ${this.#name(neighbour)} "${words}"`);
  }

  async open(neighbour: string): Promise<void> {
    await this.#bird.command(`enable ${this.#name(neighbour)}`);
  }

  async refresh(neighbour: string): Promise<void> {
    await this.#bird.command(`reload in ${this.#name(neighbour)}`);
  }

  freeze(): void {
    this.#bird.freeze();
  }

  thaw(): void {
    this.#bird.thaw();
  }

  async kill(): Promise<void> {
    await this.#bird.kill();
  }

  #name(neighbour: string): string {
    return `n${this.#neighbours.indexOf(neighbour)}`;
  }
}

function protocol(setup: RouterSetup, neighbour: NeighbourSetup, name: string): string {
  // Of itself it would leave the next hop as it is where that is on the same Ethernet (RFC 4271 §5.1.3).
  const channel = `{ import all; export all; ${external(setup, neighbour) ? 'next hop self;' : ''} }`;
  return `protocol bgp ${name} {
  local as ${setup.asn}; neighbor ${neighbour.address} as ${neighbour.asn}; passive on; hold time ${setup.holdSeconds};
  ${neighbour.old === true ? 'enable as4 off;' : ''} ${external(setup, neighbour) ? 'direct;' : ''} error wait time 1, 2;
  ipv4 ${channel}; ipv6 ${channel};
}`;
}

function shown(prefix: string, from: string, fields: ReadonlyMap<string, string>): Shown {
  const aggregator = /^(\S+) AS(\d+)$/.exec(fields.get('aggregator') ?? '');
  return {
    prefix,
    from,
    nextHop: fields.get('next_hop') ?? '',
    asPath: (fields.get('as_path') ?? '').replaceAll(
      /\{([^}]*)\}/g,
      (_, set: string) => `{${set.replaceAll(' ', ',')}}`,
    ),
    origin: ORIGINS[fields.get('origin') ?? ''] ?? '',
    med: Number(fields.get('med') ?? 0),
    localPref: Number(fields.get('local_pref')),
    aggregator: aggregator === null ? undefined : `${aggregator[2]} ${aggregator[1]}`,
    atomicAggregate: fields.has('atomic_aggr'),
    communities: tuples(fields.get('community')).map((words) => words.join(':')),
    extended: tuples(fields.get('ext_community')).map(extended),
    large: tuples(fields.get('large_community')).map((words) => words.join(':')),
    originatorId: fields.get('originator_id'),
    clusterList: fields.get('cluster_list'),
    // Flags are printed as letters; which of them there are is looked at where the route arrives.
    unknown: undefined,
  };
}

function tuples(text: string | undefined): readonly (readonly string[])[] {
  return [...(text ?? '').matchAll(/\(([^)]*)\)/g)].map((match) =>
    (match[1] ?? '').split(',').map((word) => word.trim()),
  );
}

function extended([kind = '', first = '', second = '']: readonly string[]): string {
  if (kind !== 'generic') return extendedFromWords(kind, first, second);
  return [first, second].map((word) => word.slice(2).padStart(8, '0')).join('');
}
