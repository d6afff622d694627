/**
 * From rules as users write them to rules over addresses, ports and sets. What cannot be expressed is told as
 * a problem; the caller then puts a denial in the place of all the rules, never an approximation.
 */
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import { type EntityRule, type Rule, parsePort, protocolNumber } from '../../api/kinds/rule.ts';
import { Selector, uniqueId } from '../../api/selector/index.ts';
import { type IpVersion, Prefix } from '../../net/addr/index.ts';
import type { IcmpMatch, PolicyRule, PortRange, SetDefinition, SideMatch } from './model.ts';
import { peerSelectors } from './selectors.ts';

const BOTH: readonly IpVersion[] = [4, 6];
const ICMP = 1;
const ICMPV6 = 58;
const EVERYTHING = new Selector({ op: 'all' });

export interface Compiled {
  readonly rules: readonly PolicyRule[];
  /** Every set that the rules refer to; the same set may be named more than once. */
  readonly sets: readonly SetDefinition[];
}

/**
 * @param namespace  of the policy; undefined for a GlobalNetworkPolicy or a Profile
 * @param field  of the list, e.g. `spec.ingress`
 */
export function compileRules(
  rules: readonly Rule[],
  namespace: string | undefined,
  field: string,
): Result<Compiled> {
  const problems: Problem[] = [];
  const compiled: PolicyRule[] = [];
  const sets: SetDefinition[] = [];
  for (const [index, rule] of rules.entries()) {
    const one = compileRule(rule, namespace, `${field}[${index}]`);
    if (!one.ok) problems.push(...one.problems);
    else {
      if (one.value.rule.versions.length > 0) compiled.push(one.value.rule);
      sets.push(...one.value.sets);
    }
  }
  return problems.length === 0 ? ok({ rules: compiled, sets }) : fail(...problems);
}

/** A rule that matches every packet. */
export function plainRule(action: PolicyRule['action'], field: string): PolicyRule {
  return { action, versions: BOTH, source: ANYONE, destination: ANYONE, field };
}

const ANYONE: SideMatch = {
  nets: [],
  notNets: [],
  sets: [],
  notSets: [],
  ports: [],
  namedPorts: [],
  notPorts: [],
  notNamedPorts: [],
};

interface CompiledRule {
  readonly rule: PolicyRule;
  readonly sets: readonly SetDefinition[];
}

function compileRule(rule: Rule, namespace: string | undefined, field: string): Result<CompiledRule> {
  if (rule.http !== undefined) return fail(unsupported(`${field}.http`, 'HTTP matches'));
  const source = compileSide(rule.source, rule, namespace, `${field}.source`);
  const destination = compileSide(rule.destination, rule, namespace, `${field}.destination`);
  if (!source.ok || !destination.ok) {
    return fail(...(source.ok ? [] : source.problems), ...(destination.ok ? [] : destination.problems));
  }
  const [icmp, notIcmp] = [icmpMatch(rule.icmp), icmpMatch(rule.notICMP)];
  return ok({
    rule: {
      action: rule.action,
      versions: versionsOf(rule, [source.value.match, destination.value.match]),
      ...(rule.protocol === undefined ? {} : { protocol: lower(rule.protocol) }),
      // Beside a protocol it says nothing, or that nothing matches: a kernel rule has room for one of them.
      ...(rule.notProtocol === undefined || rule.protocol !== undefined
        ? {}
        : { notProtocol: lower(rule.notProtocol) }),
      ...(icmp === undefined ? {} : { icmp }),
      ...(notIcmp === undefined ? {} : { notIcmp }),
      source: source.value.match,
      destination: destination.value.match,
      field,
      ...notesOf(rule),
    },
    sets: [...source.value.sets, ...destination.value.sets],
  });
}

function notesOf({ metadata }: Rule): { readonly notes?: readonly string[] } {
  const notes = Object.entries(metadata?.annotations ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return notes.length === 0 ? {} : { notes };
}

interface CompiledSide {
  readonly match: SideMatch;
  readonly sets: readonly SetDefinition[];
}

function compileSide(
  side: EntityRule | undefined,
  rule: Rule,
  namespace: string | undefined,
  field: string,
): Result<CompiledSide> {
  if (side === undefined) return ok({ match: ANYONE, sets: [] });
  if (side.services !== undefined) return ok(serviceSide(side.services, namespace, field));
  const peers = peerSelectors(side, namespace, field);
  if (!peers.ok) return peers;
  const { selects, excludes } = peers.value;
  const ports = readPorts(side.ports ?? [], `${field}.ports`);
  const notPorts = readPorts(side.notPorts ?? [], `${field}.notPorts`);
  const nets = readNets(side.nets ?? [], `${field}.nets`);
  const notNets = readNets(side.notNets ?? [], `${field}.notNets`);
  const problems = [ports, notPorts, nets, notNets].flatMap((read) => (read.ok ? [] : read.problems));
  if (!ports.ok || !notPorts.ok || !nets.ok || !notNets.ok) return fail(...problems);
  const withPort = (name: string): SetDefinition => namedPortSet(name, selects, rule);
  const named = ports.value.names.map(withPort);
  const notNamed = notPorts.value.names.map(withPort);
  // A set of named ports holds only ports of the selected endpoints: the selector need not be asked again.
  const selected =
    selects === undefined || (named.length > 0 && ports.value.ranges.length === 0)
      ? []
      : [selectorSet(selects)];
  const excluded = excludes === undefined ? [] : [selectorSet(excludes)];
  return ok({
    match: {
      nets: nets.value,
      notNets: notNets.value,
      sets: selected.map(({ id }) => id),
      notSets: excluded.map(({ id }) => id),
      ports: ports.value.ranges,
      namedPorts: named.map(({ id }) => id),
      notPorts: notPorts.value.ranges,
      notNamedPorts: notNamed.map(({ id }) => id),
    },
    sets: [...selected, ...excluded, ...named, ...notNamed],
  });
}

function selectorSet(selector: Selector): SetDefinition {
  return { id: selector.id, of: { selector } };
}

/** As a destination a service is its endpoints with their ports; as a source, its endpoints. */
function serviceSide(
  { name, namespace: given }: NonNullable<EntityRule['services']>,
  namespace: string | undefined,
  field: string,
): CompiledSide {
  const service = `${given ?? namespace ?? ''}/${name}`;
  const withPorts = field.endsWith('destination');
  const set: SetDefinition = {
    id: uniqueId(withPorts ? 'svc' : 'svcnoport', service),
    of: { service, withPorts },
  };
  const match = withPorts ? { ...ANYONE, namedPorts: [set.id] } : { ...ANYONE, sets: [set.id] };
  return { match, sets: [set] };
}

/** Of all endpoints if nothing selects them: any endpoint may name one of its ports so. */
function namedPortSet(name: string, selects: Selector | undefined, rule: Rule): SetDefinition {
  const selector = selects ?? EVERYTHING;
  const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  const protocol = number === 17 ? 'udp' : number === 132 ? 'sctp' : 'tcp';
  const id = uniqueId('n', `${selector.id},${protocol},${name}`);
  return { id, of: { selector, namedPort: { name, protocol } } };
}

interface Ports {
  readonly ranges: readonly PortRange[];
  readonly names: readonly string[];
}

function readPorts(ports: readonly (number | string)[], field: string): Result<Ports> {
  const ranges: PortRange[] = [];
  const names: string[] = [];
  for (const [index, port] of ports.entries()) {
    const match = parsePort(port);
    if (match === undefined) return fail(unreadable(`${field}[${index}]`, port, 'a port'));
    if ('name' in match) names.push(match.name);
    else ranges.push({ first: match.min, last: match.max });
  }
  return ok({ ranges, names });
}

function readNets(nets: readonly string[], field: string): Result<readonly Prefix[]> {
  const prefixes: Prefix[] = [];
  for (const [index, net] of nets.entries()) {
    const prefix = Prefix.parse(net, { hostBits: 'mask' });
    if (prefix === undefined) return fail(unreadable(`${field}[${index}]`, net, 'a CIDR'));
    prefixes.push(prefix);
  }
  return ok(prefixes);
}

/**
 * The families in which the rule can match. One that names only IPv4 nets says nothing about IPv6, be they
 * nets or notNets (as in Calico); one that excludes all addresses of a family never matches there.
 */
function versionsOf(rule: Rule, sides: readonly SideMatch[]): readonly IpVersion[] {
  const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  if (number !== undefined && rule.notProtocol !== undefined && number === protocolNumber(rule.notProtocol))
    return [];
  return BOTH.filter((version) => {
    if (rule.ipVersion !== undefined && rule.ipVersion !== version) return false;
    if (number === ICMP && version === 6) return false;
    if (number === ICMPV6 && version === 4) return false;
    return sides.every(
      ({ nets, notNets }) =>
        speaksOf(nets, version) &&
        speaksOf(notNets, version) &&
        !notNets.some((net) => net.version === version && net.length === 0),
    );
  });
}

function speaksOf(nets: readonly Prefix[], version: IpVersion): boolean {
  return nets.length === 0 || nets.some((net) => net.version === version);
}

function lower(protocol: string | number): string | number {
  return typeof protocol === 'number' ? protocol : protocol.toLowerCase();
}

/** Without a type there is nothing to match; the door refuses a code without one. */
function icmpMatch(match: Rule['icmp']): IcmpMatch | undefined {
  if (match?.type === undefined) return undefined;
  return { type: match.type, ...(match.code === undefined ? {} : { code: match.code }) };
}

function unsupported(field: string, what: string): Problem {
  return {
    code: 'RULE_UNSUPPORTED',
    field,
    what: `${what} cannot be enforced yet`,
    remedy: 'write the rule without it; until then all that the policy judges is denied',
  };
}

function unreadable(field: string, value: unknown, what: string): Problem {
  return {
    code: 'FIELD_INVALID',
    field,
    value,
    what: `${JSON.stringify(value)} is not ${what}`,
    remedy: `write ${what}`,
  };
}
