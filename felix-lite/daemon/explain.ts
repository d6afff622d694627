/** `GET /explain`: what policy says to a packet at the workloads of this node, step by step. */
import { type Problem, type Resource, type Result, fail, ok, validate } from '../../api/index.ts';
import { Address } from '../../net/addr/index.ts';
import { type Judgement, judge } from '../explain/evaluate.ts';
import type { Packet } from '../explain/packet.ts';
import { World, owns } from '../explain/world.ts';

export interface Explanation {
  readonly allowed: boolean;
  /** Each end that is a workload endpoint, wherever it runs; an end that is none has no say. */
  readonly egress: (Judgement & { readonly endpoint: string; readonly node: string }) | undefined;
  readonly ingress: (Judgement & { readonly endpoint: string; readonly node: string }) | undefined;
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 };
const USAGE =
  'ask for /explain?source=ADDRESS&destination=ADDRESS[&protocol=tcp][&port=80][&source-port=N][&type=8][&code=0]';

export function explain(values: readonly unknown[], query: URLSearchParams): Result<Explanation> {
  const packet = readPacket(query);
  if (!packet.ok) return packet;
  const world = new World(
    values.map((value) => validate(value)).flatMap((read): Resource[] => (read.ok ? [read.value] : [])),
  );
  const say = (direction: 'egress' | 'ingress'): Explanation['egress'] => {
    const address = direction === 'egress' ? packet.value.source : packet.value.destination;
    const workload = world.workloads.find((each) => owns(world.workload(each), address));
    if (workload === undefined) return undefined;
    const { metadata, spec } = workload;
    const endpoint = `${metadata.namespace ?? ''}/${metadata.name}`;
    return { endpoint, node: spec.node, ...judge(world, workload, direction, packet.value) };
  };
  const [egress, ingress] = [say('egress'), say('ingress')];
  return ok({ allowed: egress?.allowed !== false && ingress?.allowed !== false, egress, ingress });
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
