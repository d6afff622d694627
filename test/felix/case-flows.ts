/** The probes of each case: every protocol that rules tell apart, both ways, both families. */
import type { Packet } from '../../felix-lite/explain/packet.ts';
import { Address } from '../../net/addr/index.ts';
import { SOURCE_PORT } from './cases.ts';
import type { Case } from './case.ts';
import { CROWD } from './case-world.ts';
import { PORTS, addressesOf } from './network.ts';
import { ICMP, ICMP6, type Probe, SCTP, TCP, UDP, UNKNOWN } from './probe-packet.ts';
import type { Flow } from './wire.ts';

export interface Party {
  readonly name: string;
  readonly addresses: { readonly 4: string; readonly 6: string };
}

type What = Omit<Probe, 'source' | 'destination'>;

const ALL: readonly What[] = [
  { protocol: TCP, destinationPort: PORTS[0] },
  { protocol: TCP, destinationPort: PORTS[1] },
  { protocol: TCP, destinationPort: PORTS[1], sourcePort: SOURCE_PORT },
  { protocol: UDP, destinationPort: PORTS[0] },
  { protocol: SCTP, destinationPort: PORTS[0] },
  { protocol: SCTP, destinationPort: PORTS[1] },
  { protocol: UNKNOWN },
];
/** Of the types that connection tracking takes for the beginning of something. */
const PROBES: { readonly 4: readonly What[]; readonly 6: readonly What[] } = {
  4: [...ALL, ...icmp(ICMP, [8, 0], [8, 1], [13, 0])],
  6: [...ALL, ...icmp(ICMP6, [128, 0], [128, 1], [139, 0])],
};

function icmp(
  protocol: number,
  ...kinds: readonly (readonly [type: number, code: number])[]
): readonly What[] {
  return kinds.map(([icmpType, icmpCode]) => ({ protocol, icmpType, icmpCode }));
}

/** Those that a rule may tell from TCP and UDP by what it says. */
function isTold(about: object | undefined): (what: What) => boolean {
  if (about === undefined) return () => true;
  const text = JSON.stringify(about);
  const strange = text.includes('notProtocol');
  return ({ protocol, sourcePort }) => {
    if (protocol === TCP) return sourcePort === undefined || text.includes(String(SOURCE_PORT));
    if (protocol === UDP) return true;
    if (protocol === SCTP) return strange || text.includes('SCTP');
    if (protocol === ICMP || protocol === ICMP6) return text.includes('ICMP');
    return strange || text.includes(String(UNKNOWN));
  };
}

/** Seen from the workload of the index. */
export function flowsOf(
  { direction, about }: Case,
  index: number,
  party: Party,
): readonly (Omit<Flow, 'expected'> & { readonly name: string })[] {
  return ([4, 6] as const).flatMap((version) =>
    PROBES[version].filter(isTold(about)).map((what) => {
      const mine = addressesOf(index)[version];
      const theirs = party.addresses[version];
      const inward = direction === 'ingress';
      return {
        ...what,
        name: `${party.name} ${inward ? 'to' : 'from'} it, ${nameOf(what)} IPv${version}`,
        from: inward ? party.name : CROWD,
        to: inward ? CROWD : party.name,
        source: inward ? theirs : mine,
        destination: inward ? mine : theirs,
      };
    }),
  );
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [TCP, 'TCP'],
  [UDP, 'UDP'],
  [SCTP, 'SCTP'],
  [ICMP, 'ICMP'],
  [ICMP6, 'ICMPv6'],
]);

export function nameOf({ protocol, sourcePort, destinationPort, icmpType, icmpCode }: What): string {
  const from = sourcePort === undefined ? '' : ` from ${sourcePort}`;
  const name = NAMES.get(protocol) ?? `protocol ${protocol}`;
  if (icmpType !== undefined) return `${name} ${icmpType}/${icmpCode ?? 0}`;
  return destinationPort === undefined ? name : `${name}/${destinationPort}${from}`;
}

/** As the evaluator wants it. */
export function packetOf(probe: Probe): Packet {
  const { protocol, sourcePort = 50_000, destinationPort, icmpType, icmpCode } = probe;
  return {
    source: parse(probe.source),
    destination: parse(probe.destination),
    protocol,
    ...(destinationPort === undefined ? {} : { sourcePort, destinationPort }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  };
}

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
