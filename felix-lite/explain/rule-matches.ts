/** Whether one rule, as its user wrote it, matches one packet. Written from Calico's documentation of rules. */
import { type EntityRule, type Rule, parsePort, protocolNumber } from '../../api/index.ts';
import { SERVICE_NAME_LABEL } from '../../api/kinds/kubernetes-data.ts';
import { Address } from '../../net/addr/index.ts';
import type { Packet } from './packet.ts';
import { parsedNet, selects } from './selection.ts';
import type { Party, World } from './world.ts';

/** @param namespace  of the policy that the rule is in; undefined where the policy has none */
export function ruleMatches(
  rule: Rule,
  namespace: string | undefined,
  packet: Packet,
  world: World,
): boolean {
  const { version } = packet.source;
  if (rule.ipVersion !== undefined && rule.ipVersion !== version) return false;
  const icmp = version === 4 ? 1 : 58;
  if (rule.protocol !== undefined) {
    const number = protocolNumber(rule.protocol);
    if (number !== packet.protocol) return false;
    // ICMP is the IPv4 protocol, ICMPv6 the IPv6 one.
    if ((number === 1 || number === 58) && number !== icmp) return false;
  }
  if (rule.notProtocol !== undefined && protocolNumber(rule.notProtocol) === packet.protocol) return false;
  for (const [match, positive] of [
    [rule.icmp, true],
    [rule.notICMP, false],
  ] as const) {
    if (match?.type === undefined) continue;
    if (packet.protocol !== icmp) return false;
    const hit =
      packet.icmpType === match.type && (match.code === undefined || match.code === packet.icmpCode);
    if (hit !== positive) return false;
  }
  return (
    sideMatches(
      rule.source ?? {},
      rule,
      namespace,
      { address: packet.source, port: packet.sourcePort, isDestination: false },
      packet.protocol,
      world,
    ) &&
    sideMatches(
      rule.destination ?? {},
      rule,
      namespace,
      { address: packet.destination, port: packet.destinationPort, isDestination: true },
      packet.protocol,
      world,
    )
  );
}

interface End {
  readonly address: Address;
  readonly port: number | undefined;
  readonly isDestination: boolean;
}

function sideMatches(
  side: EntityRule,
  rule: Rule,
  namespace: string | undefined,
  end: End,
  protocol: number,
  world: World,
): boolean {
  const { nets = [], notNets = [], ports = [], notPorts = [], services } = side;
  if (services !== undefined) {
    const place = services.namespace ?? namespace ?? '';
    return isOfService(place, services.name, end, end.isDestination ? protocol : undefined, world);
  }
  if (nets.length > 0 && !nets.some((net) => inNet(net, end.address))) return false;
  if (notNets.length > 0) {
    if (notNets.some((net) => inNet(net, end.address))) return false;
    // A list of one family's nets speaks of that family alone.
    if (!notNets.some((net) => net.includes(':') === (end.address.version === 6))) return false;
  }
  const chosen = chooser(side, namespace);
  const owners = world.ownersOf(end.address);
  if (chosen.limits && !owners.some(chosen.selects)) return false;
  if (!chosen.limits && owners.some(chosen.excluded)) return false;
  const named = (name: string): boolean =>
    owners.some((party) => (!chosen.limits || chosen.selects(party)) && hasPort(party, name, rule, end.port));
  const hit = (port: number | string): boolean => {
    const match = parsePort(port);
    if (match === undefined || end.port === undefined) return false;
    return 'name' in match ? named(match.name) : match.min <= end.port && end.port <= match.max;
  };
  if (ports.length > 0 && !ports.some(hit)) return false;
  return !notPorts.some(hit);
}

/** @param protocol  of the packet, where the port has to be one of the service's too */
function isOfService(
  namespace: string,
  name: string,
  { address, port }: End,
  protocol: number | undefined,
  world: World,
): boolean {
  const numbers: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
  return world.slices.some(
    ({ metadata, endpoints = [], ports = [] }) =>
      metadata.namespace === namespace &&
      metadata.labels?.[SERVICE_NAME_LABEL] === name &&
      endpoints.some(({ addresses }) => addresses.some((text) => Address.parse(text)?.equals(address))) &&
      (protocol === undefined ||
        ports.some((each) => numbers[each.protocol ?? 'TCP'] === protocol && each.port === port)),
  );
}

interface Chooser {
  /** The side must be a known party that {@link selects} chooses. */
  readonly limits: boolean;
  readonly selects: (party: Party) => boolean;
  readonly excluded: (party: Party) => boolean;
}

function chooser(side: EntityRule, namespace: string | undefined): Chooser {
  const { selector = '', notSelector = '', namespaceSelector = '', serviceAccounts } = side;
  const names = serviceAccounts?.names ?? [];
  const accountSelector = serviceAccounts?.selector ?? '';
  const asksForAccount = names.length > 0 || accountSelector !== '';
  const asksForAnyone = selector !== '' || notSelector !== '' || namespaceSelector !== '' || asksForAccount;
  const limits =
    selector !== '' ||
    namespaceSelector !== '' ||
    asksForAccount ||
    (namespace !== undefined && asksForAnyone);
  const excluded = (party: Party): boolean => notSelector !== '' && selects(notSelector, party.labels);
  return {
    limits,
    excluded,
    selects: (party) =>
      (selector === '' || selects(selector, party.labels)) &&
      !excluded(party) &&
      inNamespace(party, namespaceSelector, namespace) &&
      (names.length === 0 || names.includes(party.labels['projectcalico.org/serviceaccount'] ?? '\0')) &&
      (accountSelector === '' ||
        selects(accountSelector, party.labels, 'pcsa.', party.serviceAccount !== undefined)),
  };
}

function inNamespace(party: Party, namespaceSelector: string, home: string | undefined): boolean {
  if (namespaceSelector === '') return home === undefined || party.namespace === home;
  const text = namespaceSelector.replaceAll(/\s/g, '');
  if (text === 'global()') return party.namespace === undefined;
  return selects(namespaceSelector, party.labels, 'pcns.', party.namespace !== undefined);
}

function hasPort(party: Party, name: string, rule: Rule, port: number | undefined): boolean {
  const protocol = String(rule.protocol ?? 'TCP').toUpperCase();
  const wanted = ({ 6: 'TCP', 17: 'UDP', 132: 'SCTP' } as Record<string, string>)[protocol] ?? protocol;
  return party.ports.some((each) => each.name === name && each.protocol === wanted && each.port === port);
}

function inNet(text: string, address: Address): boolean {
  const net = parsedNet(text);
  return net !== undefined && net.version === address.version && net.contains(address);
}
