/**
 * The chain of an endpoint in one direction: for a workload, to it (ingress policy) and from it (egress policy); for an
 * interface of the host, see host-chains.ts. Accepting is leaving with
 * the accept bit set, since the packet may have another endpoint's policy before it; all else ends in a drop.
 */
import type { Direction, LocalEndpoint, PolicyRef, TierPolicies } from '../calc/model.ts';
import type { Marks } from './marks.ts';
import { groupChain, policyChain, profileChain, workloadChain } from './names.ts';
import { type Chain, type Match, type Rule, rule, type Verdict } from './types.ts';

/** Kernel rules between two looks at the verdict inside a group. */
const RETURN_STRIDE = 5;

const IPIP = 4;
const UDP = 17;

/** Which tunnelled packets workloads may send of their own (allowIPIPPacketsFromWorkloads and its like). */
export interface WorkloadsSend {
  readonly ipip: boolean;
  readonly vxlan: boolean;
  readonly vxlanPort: number;
}

export interface WorkloadChainOptions {
  readonly marks: Marks;
  readonly workloadsSend: WorkloadsSend;
}

const DROP: Verdict = { kind: 'drop' };

/** The endpoint's own chain of the direction, and the chains of the policy groups that it jumps to. */
export function endpointChains(
  endpoint: LocalEndpoint,
  direction: Direction,
  { marks, workloadsSend }: WorkloadChainOptions,
): readonly Chain[] {
  return endpointChain(workloadChain(direction, endpoint.interfaceName), endpoint.tiers, direction, marks, {
    stage: 'normal',
    profiles: endpoint.profiles,
    before: direction === 'egress' ? encapsulationRules(workloadsSend) : [],
  });
}

export interface EndpointChainOptions {
  /**
   * `normal` ends in profiles and a drop, `forward` lets pass what no policy speaks of, and the others leave to a later
   * place what no rule decides, whatever tiers say of their end.
   */
  readonly stage: 'normal' | 'forward' | 'preDNAT' | 'untracked';
  readonly profiles: readonly string[] | undefined;
  /** Chain of what passes in any case. */
  readonly failsafe?: string;
  /** What belongs to an allowed connection goes on to the rules of others, marked, instead of being accepted. */
  readonly returns?: true;
  /** Between the look at the connection and the tiers. */
  readonly before?: readonly Rule[];
}

/** The chain of one endpoint at one place, first; then those of the policy groups that it jumps to. */
export function endpointChain(
  name: string,
  allTiers: readonly TierPolicies[],
  direction: Direction,
  marks: Marks,
  { stage, profiles = [], failsafe, returns, before = [] }: EndpointChainOptions,
): readonly Chain[] {
  const tiers = allTiers.filter((tier) => tier[direction].length > 0);
  const groups = tiers.flatMap((tier) => groupPolicies(tier[direction])).filter((group) => group.length > 1);
  const rules = [
    ...(stage === 'untracked' ? [] : connectionRules(returns === true, marks)),
    ...(failsafe === undefined ? [] : [rule([], { kind: 'jump', chain: failsafe })]),
    rule([], { kind: 'clear-mark', mask: marks.accept + marks.pass }),
    ...before,
    ...tiers.flatMap((tier) => tierRules(tier, direction, marks, stage)),
    ...(stage === 'forward' && tiers.length === 0 ? forwardByDefault(marks) : []),
    ...(stage === 'normal' ? profiles.flatMap((each) => profileRules(each, direction, marks)) : []),
    ...(stage === 'normal' ? [noProfile()] : []),
  ];
  return [{ name, rules }, ...groups.map((group) => groupRules(group, direction, marks))];
}

function noProfile(): Rule {
  const drop = rule([], { kind: 'drop' }, 'Drop if no profiles matched');
  return { ...drop, counts: { field: 'no profile allowed it', action: 'Deny' } };
}

/** What was allowed once stays allowed while the connection lasts; what belongs to no connection never is. */
function connectionRules(returns: boolean, marks: Marks): readonly Rule[] {
  const known: readonly Match[] = [{ kind: 'conntrack', states: 'RELATED,ESTABLISHED' }];
  return [
    ...(returns
      ? [
          rule(known, { kind: 'set-mark', value: marks.accept, mask: marks.accept }),
          rule(known, { kind: 'return' }),
        ]
      : [rule(known, { kind: 'accept' })]),
    rule([{ kind: 'conntrack', states: 'INVALID' }], { kind: 'drop' }),
  ];
}

/** Packets through the host are none of a host endpoint's business unless a policy says so (applyOnForward). */
function forwardByDefault(marks: Marks): readonly Rule[] {
  return [
    rule(
      [],
      { kind: 'set-mark', value: marks.accept, mask: marks.accept },
      'Allow forwarded traffic by default',
    ),
    rule([], { kind: 'return' }, 'Return for accepted forward traffic'),
  ];
}

/** A workload that could send tunnelled packets could reach around every egress policy. */
function encapsulationRules({ ipip, vxlan: allowed, vxlanPort }: WorkloadsSend): readonly Rule[] {
  const vxlan: readonly Match[] = [
    { kind: 'protocol', protocol: UDP },
    { kind: 'ports', side: 'destination', ranges: [{ first: vxlanPort, last: vxlanPort }] },
  ];
  const encapsulated: readonly Match[] = [{ kind: 'protocol', protocol: IPIP }];
  return [
    ...(allowed ? [] : [rule(vxlan, DROP, 'Drop VXLAN encapped packets originating in workloads')]),
    ...(ipip ? [] : [rule(encapsulated, DROP, 'Drop IPinIP encapped packets originating in workloads')]),
  ];
}

function tierRules(
  tier: TierPolicies,
  direction: Direction,
  marks: Marks,
  stage: EndpointChainOptions['stage'],
): readonly Rule[] {
  const ends = tier.defaultAction === 'Deny' && (stage === 'normal' || stage === 'forward');
  const notPassed: readonly Match[] = [{ kind: 'mark-clear', mask: marks.pass }];
  return [
    rule([], { kind: 'clear-mark', mask: marks.pass }, `Start of tier ${tier.name}`),
    ...groupPolicies(tier[direction]).flatMap((group) => [
      rule(notPassed, { kind: 'jump', chain: groupTarget(group, direction) }),
      ...(stage === 'untracked' ? [rule(accepted(marks), { kind: 'notrack' })] : []),
      rule(accepted(marks), { kind: 'return' }, 'Return if policy accepted'),
    ]),
    ...(ends
      ? [
          {
            ...rule(notPassed, { kind: 'drop' }, 'Drop if no policies passed packet'),
            counts: { field: 'spec.defaultAction', action: 'Deny', tier: tier.name } as const,
          },
        ]
      : []),
  ];
}

function profileRules(name: string, direction: Direction, marks: Marks): readonly Rule[] {
  return [
    rule([], { kind: 'jump', chain: profileChain(direction, name) }),
    rule(accepted(marks), { kind: 'return' }, 'Return if profile accepted'),
  ];
}

function accepted(marks: Marks): readonly Match[] {
  return [{ kind: 'mark', value: marks.accept, mask: marks.accept }];
}

function groupTarget(group: readonly PolicyRef[], direction: Direction): string {
  const [only] = group;
  return group.length === 1 && only !== undefined
    ? policyChain(direction, only.id)
    : groupChain(direction, group);
}

/**
 * A run of policies with one selector in one chain: endpoints that meet one of them meet them all, so the
 * chain is shared. Between policies the verdict bits are looked at; every few rules a RETURN spares the rest.
 */
function groupRules(group: readonly PolicyRef[], direction: Direction, marks: Marks): Chain {
  const verdict = marks.accept + marks.pass;
  const rules = group.flatMap(({ id }, index) => {
    const jump = { kind: 'jump', chain: policyChain(direction, id) } as const;
    if (index % RETURN_STRIDE !== 0) return [rule([{ kind: 'mark-clear', mask: verdict }], jump)];
    if (index === 0) return [rule([], jump)];
    return [
      rule([{ kind: 'mark-not-clear', mask: verdict }], { kind: 'return' }, 'Return on verdict'),
      rule([], jump),
    ];
  });
  return { name: groupChain(direction, group), rules };
}

/** Splits into runs of equal selectors, order kept. */
export function groupPolicies(policies: readonly PolicyRef[]): readonly (readonly PolicyRef[])[] {
  const groups: PolicyRef[][] = [];
  for (const policy of policies) {
    const last = groups.at(-1);
    if (last?.[0]?.selector === policy.selector) last.push(policy);
    else groups.push([policy]);
  }
  return groups;
}
