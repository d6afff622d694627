/** Rules of policies and profiles: what they match and what they do. */
import { z } from 'zod';
import { type Complaint, quote, read, type Reading, rules } from '../schema/field.ts';
import { nameComplaint } from '../schema/names.ts';
import { cidr } from '../schema/network.ts';
import { integer, selector } from '../schema/scalars.ts';

export const action = z.enum(['Allow', 'Deny', 'Log', 'Pass']);
export type Action = z.output<typeof action>;

const PROTOCOLS = { TCP: 6, UDP: 17, ICMP: 1, ICMPv6: 58, SCTP: 132, UDPLite: 136 } as const;

/** A name as Calico spells it, or a number that has no name here. */
export type Protocol = keyof typeof PROTOCOLS | number;

/** Names in any case, and numbers; the value is the name where there is one. */
export const protocol = read(
  z.union([z.number(), z.string()], {
    error: 'TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255',
  }),
  (input): Reading<Protocol> => {
    const named = PROTOCOL_NAMES.find((name) => name.toLowerCase() === String(input).toLowerCase());
    if (named !== undefined) return { value: named };
    const number = typeof input === 'string' && /^[0-9]{1,3}$/.test(input) ? Number(input) : input;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 255)
      return { value: number };
    return {
      what: `${quote(input)} is not a protocol`,
      remedy: 'use TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255',
    };
  },
).meta({ examples: ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 47] });

const PROTOCOL_NAMES = Object.keys(PROTOCOLS) as readonly (keyof typeof PROTOCOLS)[];

/** IANA number of a protocol. */
export function protocolNumber(value: Protocol): number {
  return typeof value === 'number' ? value : PROTOCOLS[value];
}

export function hasPorts(value: Protocol | undefined): boolean {
  return value !== undefined && [6, 17, 132].includes(protocolNumber(value));
}

/** A port number, a range `8000:8010`, or the name of a port of the endpoint. */
export type Port = number | string;

export type PortMatch = { readonly min: number; readonly max: number } | { readonly name: string };

/** What a port of a rule stands for; undefined when it is none. */
export function parsePort(port: Port): PortMatch | undefined {
  const text = String(port);
  const range = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(text);
  if (range === null)
    return /^[a-zA-Z0-9_.-]{1,128}$/.test(text) && !/^[0-9.-]+$/.test(text) ? { name: text } : undefined;
  const min = Number(range[1]);
  const max = Number(range[2] ?? range[1]);
  return min >= 1 && min <= max && max <= 65_535 ? { min, max } : undefined;
}

const PORT = 'a port from 1 to 65535, a range such as "8000:8010", or the name of a port';

const port = read(z.union([z.number(), z.string()], { error: PORT }), (input): Reading<Port> => {
  const match = parsePort(input);
  if (match === undefined) return { what: `${quote(input)} is not a port`, remedy: `use ${PORT}` };
  if ('name' in match) return { value: match.name };
  return { value: match.min === match.max ? match.min : `${match.min}:${match.max}` };
}).meta({ examples: [22, '8000:8010', 'http'] });

const resourceName = read(z.string(), (text): Reading<string> => nameComplaint(text) ?? { value: text }).meta(
  { examples: ['web'] },
);

const entityRuleFields = z.strictObject({
  nets: z.exactOptional(z.array(cidr({ hostBits: 'refuse' }))),
  notNets: z.exactOptional(z.array(cidr({ hostBits: 'refuse' }))),
  selector: z.exactOptional(selector()),
  notSelector: z.exactOptional(selector()),
  namespaceSelector: z.exactOptional(selector({ global: 'alone' })),
  ports: z.exactOptional(z.array(port)),
  notPorts: z.exactOptional(z.array(port)),
  serviceAccounts: z.exactOptional(
    z.strictObject({
      names: z.exactOptional(z.array(z.string())),
      selector: z.exactOptional(selector()),
    }),
  ),
  services: z.exactOptional(z.strictObject({ name: resourceName, namespace: z.exactOptional(resourceName) })),
});

export type EntityRule = z.output<typeof entityRuleFields>;

const entityRule = rules(entityRuleFields, entityComplaints);

function* entityComplaints(entity: EntityRule): Generator<Complaint> {
  if (entity.services === undefined) return;
  const others = [
    'selector',
    'notSelector',
    'namespaceSelector',
    'serviceAccounts',
    'nets',
    'notNets',
  ] as const;
  for (const field of others) {
    const value = entity[field];
    if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    yield {
      path: [field],
      what: 'cannot stand beside services, which names its own endpoints',
      remedy: `remove ${field} or services, or use two rules`,
    };
  }
}

const icmp = rules(
  z.strictObject({ type: z.exactOptional(integer(0, 254)), code: z.exactOptional(integer(0, 255)) }),
  function* (value) {
    if (value.code === undefined || value.type !== undefined) return;
    yield {
      path: ['code'],
      what: 'an ICMP code without a type',
      remedy: 'add type: the kernel matches codes only within one',
    };
  },
);

const httpPath = rules(
  z.strictObject({ exact: z.exactOptional(z.string()), prefix: z.exactOptional(z.string()) }),
  function* (path): Generator<Complaint> {
    if ((path.exact ?? '') === '' || (path.prefix ?? '') === '') return;
    yield {
      path: ['exact'],
      what: 'a path that is both exact and a prefix',
      remedy: 'set one of the two, and write the other as a path of its own',
    };
  },
);

const ruleFields = z.strictObject({
  action,
  ipVersion: z.exactOptional(z.literal([4, 6])),
  protocol: z.exactOptional(protocol),
  notProtocol: z.exactOptional(protocol),
  icmp: z.exactOptional(icmp),
  notICMP: z.exactOptional(icmp),
  source: z.exactOptional(entityRule),
  destination: z.exactOptional(entityRule),
  http: z.exactOptional(
    z.strictObject({
      methods: z.exactOptional(z.array(z.string())),
      paths: z.exactOptional(z.array(httpPath)),
    }),
  ),
  metadata: z.exactOptional(
    z.strictObject({ annotations: z.exactOptional(z.record(z.string(), z.string())) }),
  ),
});

export type Rule = z.output<typeof ruleFields>;

export const rule = rules(ruleFields, ruleComplaints);

function* ruleComplaints(rule: Rule): Generator<Complaint> {
  yield* portComplaints(rule);
  yield* icmpComplaints(rule);
  yield* versionComplaints(rule);
  if (rule.http === undefined) return;
  if (rule.action !== 'Allow') {
    yield {
      path: ['http'],
      what: `HTTP matches in a rule that does ${rule.action}`,
      remedy: 'use them in Allow rules only',
    };
  }
  if (rule.protocol !== undefined && protocolNumber(rule.protocol) !== 6) {
    yield {
      path: ['protocol'],
      what: `HTTP matches with protocol ${rule.protocol}`,
      remedy: 'use protocol TCP, or leave it out',
    };
  }
}

function* portComplaints(rule: Rule): Generator<Complaint> {
  for (const side of ['source', 'destination'] as const) {
    for (const field of ['ports', 'notPorts'] as const) {
      if ((rule[side]?.[field] ?? []).length === 0) continue;
      if (!hasPorts(rule.protocol)) {
        yield {
          path: [side, field],
          what: `ports need a protocol that has them, and protocol is ${rule.protocol ?? 'not set'}`,
          remedy: 'set protocol to TCP, UDP or SCTP in this rule',
        };
      }
      if (side === 'destination' && rule.destination?.services !== undefined) {
        yield {
          path: [side, field],
          what: 'cannot stand beside services, which brings its own ports',
          remedy: `remove ${field}`,
        };
      }
    }
  }
}

function* icmpComplaints(rule: Rule): Generator<Complaint> {
  const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  for (const field of ['icmp', 'notICMP'] as const) {
    if (rule[field] === undefined || number === PROTOCOLS.ICMP || number === PROTOCOLS.ICMPv6) continue;
    yield {
      path: [field],
      what: 'ICMP fields need protocol ICMP or ICMPv6',
      remedy: 'set protocol to ICMP or ICMPv6 in this rule',
    };
  }
}

/** A rule speaks of one IP version: its own, its protocol's, and that of every net in it. */
function* versionComplaints(rule: Rule): Generator<Complaint> {
  let settled: { readonly version: 4 | 6; readonly by: string } | undefined;
  for (const { version, by, path } of versionsIn(rule)) {
    if (settled === undefined) settled = { version, by };
    else if (settled.version !== version) {
      yield {
        path,
        what: `${by} is IPv${version}, but ${settled.by} is IPv${settled.version}`,
        remedy: 'write one rule for each IP version',
      };
    }
  }
}

function* versionsIn(rule: Rule): Generator<{ version: 4 | 6; by: string; path: (string | number)[] }> {
  if (rule.ipVersion !== undefined) yield { version: rule.ipVersion, by: 'ipVersion', path: ['ipVersion'] };
  for (const field of ['protocol', 'notProtocol'] as const) {
    const number = rule[field] === undefined ? 0 : protocolNumber(rule[field]);
    if (number === PROTOCOLS.ICMP) yield { version: 4, by: 'protocol ICMP', path: [field] };
    if (number === PROTOCOLS.ICMPv6) yield { version: 6, by: 'protocol ICMPv6', path: [field] };
  }
  for (const side of ['source', 'destination'] as const) {
    for (const field of ['nets', 'notNets'] as const) {
      for (const [index, net] of (rule[side]?.[field] ?? []).entries()) {
        yield { version: net.includes(':') ? 6 : 4, by: quote(net), path: [side, field, index] };
      }
    }
  }
}
