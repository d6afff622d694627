/**
 * The kinds of traffic that a set of rules can tell apart: ports between two neighbours that some rule names are alike, so
 * one of them stands for all. Pure.
 */
import { parsePort, protocolNumber, type Rule } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { Packet } from '../packet.ts';
import type { World } from '../world.ts';

export interface Traffic {
  /** `TCP 5432`, `TCP 1-79`, `ICMP type 8`, `protocol 89`. */
  readonly name: string;
  /** Kinds that follow one another and change alike are told as one: `TCP`, and first and last port. */
  readonly ports?: { readonly protocol: string; readonly first: number; readonly last: number };
  readonly packet: Pick<Packet, 'protocol' | 'sourcePort' | 'destinationPort' | 'icmpType' | 'icmpCode'>;
}

const PORTED: readonly (readonly [string, number])[] = [
  ['TCP', 6],
  ['UDP', 17],
  ['SCTP', 132],
];
const [IPIP, VXLAN_PORT, LAST_PORT] = [4, 4789, 65_535];
const ICMP: Readonly<Record<IpVersion, number>> = { 4: 1, 6: 58 };
const ECHO: Readonly<Record<IpVersion, number>> = { 4: 8, 6: 128 };
/** As clients have them. */
const SOURCE_PORT = 49_152;
/** RFC 3692: for experiments. It stands for all protocols that no rule names. */
const UNNAMED = 253;

/** What the rules speak of, in a form that is quick to join. */
export interface Words {
  /** First ports of ranges, by protocol number. */
  readonly starts: ReadonlyMap<number, ReadonlySet<number>>;
  readonly protocols: ReadonlySet<number>;
  /** `type` or `type/code`. */
  readonly icmp: ReadonlySet<string>;
}

/** @param worlds  to which ports the names in the rules may lead */
export function wordsOf(rules: Iterable<Rule>, worlds: readonly World[]): Words {
  const starts = new Map(PORTED.map(([, number]) => [number, new Set([1])]));
  const protocols = new Set<number>();
  const icmp = new Set<string>();
  for (const rule of rules) {
    const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
    for (const each of [rule.protocol, rule.notProtocol])
      if (each !== undefined) protocols.add(protocolNumber(each));
    for (const match of [rule.icmp, rule.notICMP]) {
      if (match?.type === undefined) continue;
      icmp.add(String(match.type));
      if (match.code !== undefined) icmp.add(`${match.type}/${match.code}`);
    }
    const { ports = [], notPorts = [], services } = rule.destination ?? {};
    for (const [protocol, list] of starts) {
      if (number !== undefined && number !== protocol) continue;
      for (const port of [...ports, ...notPorts])
        for (const { min, max } of rangesOf(port, worlds)) list.add(min).add(max + 1);
      if (services !== undefined)
        for (const port of servicePorts(services.name, worlds)) list.add(port).add(port + 1);
    }
  }
  return { starts, protocols, icmp };
}

function rangesOf(
  port: number | string,
  worlds: readonly World[],
): readonly { readonly min: number; readonly max: number }[] {
  const match = parsePort(port);
  if (match === undefined) return [];
  if (!('name' in match)) return [match];
  return worlds.flatMap(({ parties }) =>
    parties.flatMap((party) =>
      party.ports
        .filter(({ name }) => name === match.name)
        .map((each) => ({ min: each.port, max: each.port })),
    ),
  );
}

function servicePorts(name: string, worlds: readonly World[]): readonly number[] {
  return worlds.flatMap(({ slices }) =>
    slices
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
      .flatMap(({ ports = [] }) => ports.flatMap(({ port }) => port ?? [])),
  );
}

/** All that the rules of one of them can tell apart, in order. */
export function trafficOf(words: readonly Words[], version: IpVersion): readonly Traffic[] {
  const list: Traffic[] = [];
  for (const [name, protocol] of PORTED) {
    const starts = new Set([1, ...words.flatMap((each) => [...(each.starts.get(protocol) ?? [])])]);
    const sorted = [...starts].filter((port) => port >= 1 && port <= LAST_PORT).sort((x, y) => x - y);
    for (const [index, first] of sorted.entries()) {
      const last = (sorted[index + 1] ?? LAST_PORT + 1) - 1;
      // No workload may send to the port of tunnels, whatever policy says: it does not stand for others.
      const tunnel = name === 'UDP' && first === VXLAN_PORT;
      if (tunnel && last === VXLAN_PORT) continue;
      list.push({
        name: `${name} ${first === last ? first : `${first}-${last}`}`,
        ports: { protocol: name, first, last },
        packet: { protocol, sourcePort: SOURCE_PORT, destinationPort: tunnel ? last : first },
      });
    }
  }
  list.push(...icmpTraffic(new Set(words.flatMap(({ icmp }) => [...icmp])), version));
  const named = new Set(words.flatMap(({ protocols }) => [...protocols]));
  for (const [, protocol] of PORTED) named.delete(protocol);
  for (const number of [...Object.values(ICMP), IPIP, UNNAMED]) named.delete(number);
  for (const protocol of [...named].sort((x, y) => x - y))
    list.push({ name: `protocol ${protocol}`, packet: { protocol } });
  list.push({
    name: named.size === 0 ? 'other protocols' : 'all other protocols',
    packet: { protocol: UNNAMED },
  });
  return list;
}

function icmpTraffic(asked: ReadonlySet<string>, version: IpVersion): readonly Traffic[] {
  const name = version === 4 ? 'ICMP' : 'ICMPv6';
  const protocol = ICMP[version];
  const types = new Set([String(ECHO[version]), ...asked]);
  return [...types].map((text) => {
    const [type = 0, code = 0] = text.split('/').map(Number);
    const what = text === String(ECHO[version]) ? 'echo' : `type ${text}`;
    return { name: `${name} ${what}`, packet: { protocol, icmpType: type, icmpCode: code } };
  });
}

/** `all traffic`, or the kinds with neighbours joined; `all but TCP 22` where that is shorter. */
export function traffics(changed: readonly Traffic[], all: readonly Traffic[]): readonly string[] {
  if (changed.length === 0) return [];
  const words = joined(changed);
  const others = new Set(changed);
  const rest = joined(all.filter((each) => !others.has(each)));
  if (rest.length === 0) return ['all traffic'];
  return rest.length < words.length ? [`all but ${rest.join(', ')}`] : words;
}

function joined(list: readonly Traffic[]): readonly string[] {
  const words: string[] = [];
  let open: { protocol: string; first: number; last: number } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const { protocol, first, last } = open;
    const whole = first === 1 && last === LAST_PORT;
    words.push(whole ? protocol : `${protocol} ${first === last ? first : `${first}-${last}`}`);
    open = undefined;
  };
  for (const { name, ports } of list) {
    if (ports === undefined) {
      close();
      words.push(name);
    } else if (open !== undefined && open.protocol === ports.protocol && open.last + 1 === ports.first) {
      open.last = ports.last;
    } else {
      close();
      open = { ...ports };
    }
  }
  close();
  return words;
}

/** The words of both IP versions in one, where each says the same; undefined for one that is not there. */
export function inBoth(
  v4: readonly string[] | undefined,
  v6: readonly string[] | undefined,
): readonly string[] {
  if (v4 === undefined || v6 === undefined) return v4 ?? v6 ?? [];
  const both = v4.filter((text) => v6.includes(text));
  return [
    ...both,
    ...v4.filter((text) => !both.includes(text)).map((text) => word(text, 4)),
    ...v6.filter((text) => !both.includes(text)).map((text) => word(text, 6)),
  ];
}

/** What carries the name of its version in it needs no word more. */
function word(text: string, version: IpVersion): string {
  return text.startsWith('ICMP') ? text : `${text} (IPv${version})`;
}
