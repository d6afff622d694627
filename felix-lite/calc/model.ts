/**
 * What calc says: the policies, profiles and address sets that this node needs, and what each of its
 * endpoints runs through. Free of any firewall's vocabulary; `rules/` turns it into chains.
 */
import type { Selector } from '../../api/selector/index.ts';
import type { IpVersion, Prefix } from '../../net/addr/index.ts';

export type Direction = 'ingress' | 'egress';

/** The last two are Kubernetes', by the names that Calico has for them. */
export type PolicyKind =
  | 'NetworkPolicy'
  | 'GlobalNetworkPolicy'
  | 'KubernetesNetworkPolicy'
  | 'KubernetesClusterNetworkPolicy';

export interface PolicyId {
  readonly kind: PolicyKind;
  /** Empty for those of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
}

/** `name/namespace/kind`: unique, and the text that breaks ties of order inside a tier (ascending). */
export type PolicyKey = string;

export function policyKey(id: PolicyId): PolicyKey {
  return `${id.name}/${id.namespace}/${id.kind}`;
}

/** `s:…` for a selector, `n:…` for a named port, `svc:…` and `svcnoport:…` for a service; the same id means the same members on every node. */
export type SetId = string;

/** `namespace/name` of a Service. */
export type ServiceKey = string;

/** First and last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Lower-case name where the user gave a name, else the number. */
export type Protocol = string | number;

export interface IcmpMatch {
  readonly type: number;
  readonly code?: number;
}

/** Conditions on one end of a packet. Lists that are empty ask nothing; lists that are not must all hold. */
export interface SideMatch {
  /** The address lies in one of these. */
  readonly nets: readonly Prefix[];
  /** The address lies in none of these. */
  readonly notNets: readonly Prefix[];
  /** The address is a member of each of these sets. */
  readonly sets: readonly SetId[];
  /** The address is a member of none of these sets. */
  readonly notSets: readonly SetId[];
  /** The port is in one of these ranges, or (address, port) is in one of {@link namedPorts}. */
  readonly ports: readonly PortRange[];
  readonly namedPorts: readonly SetId[];
  /** The port is in none of these ranges, and (address, port) in none of {@link notNamedPorts}. */
  readonly notPorts: readonly PortRange[];
  readonly notNamedPorts: readonly SetId[];
}

export type Action = 'Allow' | 'Deny' | 'Log' | 'Pass';

export interface PolicyRule {
  readonly action: Action;
  /** The families in which the rule can match at all. Never empty: a rule that cannot match is left out. */
  readonly versions: readonly IpVersion[];
  readonly protocol?: Protocol;
  readonly notProtocol?: Protocol;
  /** Both imply the ICMP of the packet's family. */
  readonly icmp?: IcmpMatch;
  readonly notIcmp?: IcmpMatch;
  readonly source: SideMatch;
  readonly destination: SideMatch;
  /** Where the user wrote it, e.g. `spec.ingress[2]`, for explanations and problems. */
  readonly field: string;
  /** Annotations of the rule's metadata, `key=value`, by key: they go into the kernel as comments. */
  readonly notes?: readonly string[];
}

/** Rules of one policy or profile, ready to render. */
export interface RuleLists {
  readonly ingress: readonly PolicyRule[];
  readonly egress: readonly PolicyRule[];
}

/** `untracked`: before connections are known. `preDNAT`: before the destination changes. Both at host endpoints only. */
export type PolicyStage = 'normal' | 'preDNAT' | 'untracked';

export interface ActivePolicy extends RuleLists {
  readonly id: PolicyId;
  readonly stage: PolicyStage;
  readonly tier: string;
}

export interface ActiveProfile extends RuleLists {
  readonly name: string;
}

/** One policy as an endpoint meets it. */
export interface PolicyRef {
  readonly id: PolicyId;
  /** Canonical text of the composed selector: policies with equal selectors select the same endpoints. */
  readonly selector: string;
}

export interface TierPolicies {
  readonly name: string;
  readonly defaultAction: 'Deny' | 'Pass';
  /** In order. Empty: the tier does not apply in that direction, nor does its default action. */
  readonly ingress: readonly PolicyRef[];
  readonly egress: readonly PolicyRef[];
}

/** Whether they say the same of a direction. */
export function sameTiers(
  one: readonly TierPolicies[],
  other: readonly TierPolicies[],
  direction: Direction,
): boolean {
  return (
    one.length === other.length &&
    one.every((tier, index) => {
      const its = other[index];
      return (
        its !== undefined &&
        tier.name === its.name &&
        tier.defaultAction === its.defaultAction &&
        samePolicies(tier[direction], its[direction])
      );
    })
  );
}

function samePolicies(one: readonly PolicyRef[], other: readonly PolicyRef[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ id, selector }, index) => {
      const its = other[index];
      return (
        its !== undefined &&
        selector === its.selector &&
        id.name === its.id.name &&
        id.namespace === its.id.namespace &&
        id.kind === its.id.kind
      );
    })
  );
}

/** In the same order. */
export function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

/** `namespace/name` of a WorkloadEndpoint, `HostEndpoint/name` of a HostEndpoint. */
export type EndpointKey = string;

/** Canonical texts. */
export interface AddressPair {
  readonly version: IpVersion;
  readonly internal: string;
  readonly external: string;
}

export interface LocalEndpoint {
  readonly key: EndpointKey;
  readonly interfaceName: string;
  readonly tiers: readonly TierPolicies[];
  /** Names in order. */
  readonly profiles: readonly string[];
  /** Its floating IPs, as the endpoint has them. */
  readonly nats?: readonly AddressPair[];
  /** Prefixes that it may send from beside its own addresses; left out without any. */
  readonly sources?: readonly Prefix[];
}

/** An interface of the host itself under a HostEndpoint. */
export interface HostInterface {
  /** `*`: every interface that has no entry of its own and is no workload's. */
  readonly interfaceName: string;
  /** Name of the HostEndpoint. */
  readonly endpoint: string;
  readonly untracked: readonly TierPolicies[];
  readonly preDNAT: readonly TierPolicies[];
  /** For packets to and from the host itself. */
  readonly normal: readonly TierPolicies[];
  /** For packets through the host. */
  readonly forward: readonly TierPolicies[];
  /** Names in order; after {@link normal} only. */
  readonly profiles: readonly string[];
}

export interface SetDefinition {
  readonly id: SetId;
  readonly of: /** Whom the selector selects: their addresses, or (address, protocol, port) of their ports of a name. */
    | {
        readonly selector: Selector;
        readonly namedPort?: { readonly name: string; readonly protocol: 'tcp' | 'udp' | 'sctp' };
      }
    /** The endpoints of a service of Kubernetes: (address, protocol, port), or their addresses. */
    | { readonly service: ServiceKey; readonly withPorts: boolean };
}

/** One that no policy asks for; see fixed-sets.ts. */
export interface FixedSet {
  readonly id: SetId;
  readonly of: { readonly fixed: SetId };
}

/** Whether members are (address, protocol, port), not addresses. */
export function holdsPorts({ of }: SetDefinition | FixedSet): boolean {
  if ('fixed' in of) return false;
  return 'service' in of ? of.withPorts : of.namedPort !== undefined;
}

/** Canonical text, one family each: `10.1.0.0/24`, `10.1.2.3`, `10.1.2.3,tcp:8080`. */
export type Member = string;

export type SetChange =
  /** A set that was not there before, or that replaces what was. */
  | {
      readonly type: 'whole';
      readonly definition: SetDefinition | FixedSet;
      readonly members: ReadonlySet<Member>;
    }
  | { readonly type: 'delta'; readonly added: readonly Member[]; readonly removed: readonly Member[] }
  | { readonly type: 'gone' };

/** What changed since the last delta. `undefined` means: gone. */
export interface CalcDelta {
  readonly sets: ReadonlyMap<SetId, SetChange>;
  readonly policies: ReadonlyMap<PolicyKey, ActivePolicy | undefined>;
  readonly profiles: ReadonlyMap<string, ActiveProfile | undefined>;
  readonly endpoints: ReadonlyMap<EndpointKey, LocalEndpoint | undefined>;
  /** By the name of the interface. */
  readonly hosts: ReadonlyMap<string, HostInterface | undefined>;
}
