/**
 * `GET /explain`: what policy says to a packet at the workloads of the cluster, step by step, and what the rules in this
 * node's kernel would do with it, read back from there. The two have to agree where the packet crosses this node.
 */
import { type Problem, type Result, fail, ok } from '../../api/index.ts';
import { Address } from '../../net/addr/index.ts';
import { run } from '../../net/kernel/index.ts';
import type { Backend } from '../dataplane/backend.ts';
import { type Judgement, judge } from '../explain/evaluate.ts';
import { type CountedRule, type KernelRules, readKernel } from '../explain/kernel/read.ts';
import type { Packet } from '../explain/packet.ts';
import { readResources } from '../explain/stored.ts';
import { guardOf, type NodeView, type Way, judgeWay } from '../explain/way.ts';
import { wayOver } from '../explain/way-over.ts';
import { World } from '../explain/world.ts';

export interface Explanation {
  readonly node: string;
  readonly allowed: boolean;
  /** Each end that is a workload endpoint, wherever it runs; an end that is none has no say. */
  readonly egress: (Judgement & { readonly endpoint: string; readonly node: string }) | undefined;
  readonly ingress: (Judgement & { readonly endpoint: string; readonly node: string }) | undefined;
  /** Undefined: the packet does not cross this node. */
  readonly kernel: KernelExplanation | undefined;
}

export interface KernelExplanation {
  readonly backend: Backend;
  readonly way: Way;
  /** What policy says to the packet on that way, the host's own included. */
  readonly model: Judgement;
  /** Whether an interface of the way has a host endpoint. */
  readonly hosts: boolean;
  /** Undefined with {@link why}: the rules could not be judged. */
  readonly allowed: boolean | undefined;
  readonly why?: string;
  /** False: an alarm. Undefined: nobody can tell, because the kernel was being changed all the time, or not judged. */
  readonly agrees: boolean | undefined;
  /** Rules that the packet would match, in their order; counters are of all packets. */
  readonly rules: readonly CountedRule[];
  /** Rules of other programs on the way, which are not judged. */
  readonly others: number;
  /** The last error of felix-lite, while it has one. */
  readonly lastError?: string;
}

/** What felix-lite knows, and what the kernel is to hold. */
export interface FelixView {
  readonly resources: readonly unknown[];
  readonly view: NodeView;
  readonly backend: Backend;
  readonly netns: string | undefined;
  /** Between two looks nothing has changed where this is the same. */
  readonly state: string;
  /** What is known is not in the kernel yet. */
  readonly moving: boolean;
  readonly lastError: string | undefined;
}

export interface Explainable {
  readonly node: string;
  /** Undefined before the first pass. */
  view(): FelixView | undefined;
  resources(): readonly unknown[];
  /** @returns after a moment */
  pause(): Promise<void>;
}

/** How often kernel and model are compared while either changes. */
const LOOKS = 20;

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 };
const USAGE =
  'ask for /explain?source=ADDRESS&destination=ADDRESS[&protocol=tcp][&port=80][&source-port=N][&type=8][&code=0]';

export async function explain(felix: Explainable, query: URLSearchParams): Promise<Result<Explanation>> {
  const read = readPacket(query);
  if (!read.ok) return read;
  const packet = read.value;
  const world = new World(readResources(felix.resources()));
  const say = (direction: 'egress' | 'ingress'): Explanation['egress'] => {
    const address = direction === 'egress' ? packet.source : packet.destination;
    const workload = world.workloadAt(address);
    if (workload === undefined) return undefined;
    const { metadata, spec } = workload;
    const endpoint = `${metadata.namespace ?? ''}/${metadata.name}`;
    return { endpoint, node: spec.node, ...judge(world, workload, direction, packet) };
  };
  const [egress, ingress] = [say('egress'), say('ingress')];
  const allowed = egress?.allowed !== false && ingress?.allowed !== false;
  return ok({ node: felix.node, allowed, egress, ingress, kernel: await compare(felix, packet) });
}

/** A difference counts only where neither side has changed while the two were looked at. */
async function compare(felix: Explainable, packet: Packet): Promise<KernelExplanation | undefined> {
  for (let look = 1; ; look++) {
    const before = felix.view();
    if (before === undefined) return undefined;
    const seen = await lookOnce(before, packet);
    if (seen === undefined || seen.agrees !== false) return seen;
    const after = felix.view();
    const still = !before.moving && after?.moving === false && after.state === before.state;
    if (still) return seen;
    if (look === LOOKS) return { ...seen, agrees: undefined, why: 'policy was changing all the time' };
    await felix.pause();
  }
}

async function lookOnce(
  { resources, view, backend, netns, lastError }: FelixView,
  packet: Packet,
): Promise<KernelExplanation | undefined> {
  const world = new World(readResources(resources));
  const way = await wayOver(world, view, packet, (address) => interfaceTo(address, netns));
  if (way === undefined) return undefined;
  const model = judgeWay(world, view, way, packet);
  const hosts = [way.from, way.to].some(
    (name) => name !== undefined && guardOf(world, view, name) !== undefined,
  );
  const base = { backend, way, model, hosts, ...(lastError === undefined ? {} : { lastError }) };
  let kernel: KernelRules | undefined;
  try {
    kernel = await readKernel({ backend, netns }, packet.source.version);
    const walked = await kernel.walk(way.journey, {
      ...packet,
      state: 'NEW',
      ...(way.from === undefined ? {} : { inInterface: way.from }),
      ...(way.to === undefined ? {} : { outInterface: way.to }),
    });
    const allowed = walked.verdict === 'ACCEPT';
    return {
      ...base,
      allowed,
      agrees: allowed === model.allowed,
      rules: walked.trace,
      others: walked.others,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...base, allowed: undefined, why, agrees: undefined, rules: [], others: 0 };
  } finally {
    kernel?.close();
  }
}

/** As the kernel would route it; undefined without a route. */
async function interfaceTo(address: Address, netns: string | undefined): Promise<string | undefined> {
  try {
    const { stdout } = await run('ip', ['-j', 'route', 'get', address.toString()], { netns });
    const [route] = JSON.parse(stdout) as readonly { readonly dev?: string }[];
    return route?.dev;
  } catch {
    return undefined;
  }
}

function readPacket(query: URLSearchParams): Result<Packet> {
  const source = Address.parse(query.get('source') ?? '');
  const destination = Address.parse(query.get('destination') ?? '');
  if (source === undefined) return fail(refused('source', query.get('source')));
  if (destination === undefined || destination.version !== source.version) {
    return fail(refused('destination', query.get('destination')));
  }
  const name = (query.get('protocol') ?? 'tcp').toLowerCase();
  const protocol = PROTOCOLS[name] ?? Number(name);
  if (!(protocol > 0 && protocol < 256)) return fail(refused('protocol', name));
  const number = (field: string): number | undefined => {
    const text = query.get(field);
    return text === null ? undefined : Number(text);
  };
  const optional = {
    sourcePort: number('source-port'),
    destinationPort: number('port'),
    icmpType: number('type'),
    icmpCode: number('code'),
  };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  if (given.some(([, value]) => !Number.isInteger(value)))
    return fail(refused('port, source-port, type or code', given));
  return ok({ source, destination, protocol, ...Object.fromEntries(given) });
}

function refused(field: string, value: unknown): Problem {
  return {
    code: 'QUERY_INVALID',
    field,
    value,
    what: `${JSON.stringify(value)} is no ${field} of a packet`,
    remedy: USAGE,
  };
}
