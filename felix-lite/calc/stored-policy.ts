/**
 * NetworkPolicies as the store gives them, a thousand at a time, like stored-workload.ts: the common shape is checked by
 * hand, and comes out as the schema would have it. What is out of the common, nets among it, goes to the schema.
 */
import { parsePort, type Port } from '../../api/kinds/rule.ts';
import { DEFAULT_TIER, type PolicyDirections, TIER_LABEL, withTypes } from '../../api/kinds/policy.ts';
import type { ResourceOf } from '../../api/index.ts';
import { parseTree, someNode } from '../../api/selector/index.ts';
import { type Check, hasOnly, isFields, isShortName, isText, listOf, METADATA } from './stored-fields.ts';

type NetworkPolicy = ResourceOf<'NetworkPolicy'>;

const isSelector: Check = (value) => {
  if (!isText(value)) return false;
  const tree = parseTree(value);
  return tree.ok && !someNode(tree.value, ({ op }) => op === 'global');
};

/** As the schema spells it. */
const isPort: Check = (value) => {
  if (typeof value !== 'number' && typeof value !== 'string') return false;
  return value === spelled(value);
};

function spelled(port: Port): Port | undefined {
  const match = parsePort(port);
  if (match === undefined) return undefined;
  if ('name' in match) return match.name;
  return match.min === match.max ? match.min : `${match.min}:${match.max}`;
}

const isTypes: Check = (value) =>
  listOf((each) => each === 'Ingress' || each === 'Egress')(value) &&
  Array.isArray(value) &&
  new Set(value).size === value.length;

const SIDE: Readonly<Record<string, Check>> = {
  selector: isSelector,
  notSelector: isSelector,
  namespaceSelector: isSelector,
  ports: listOf(isPort),
  notPorts: listOf(isPort),
};

const isSide: Check = (value) => hasOnly(value, SIDE);

const RULE: Readonly<Record<string, Check>> = {
  action: (value) => value === 'Allow' || value === 'Deny' || value === 'Log' || value === 'Pass',
  protocol: (value) => value === 'TCP' || value === 'UDP' || value === 'SCTP',
  source: isSide,
  destination: isSide,
};

const asksForPorts: Check = (side) => isFields(side) && ('ports' in side || 'notPorts' in side);

const isRule: Check = (value) =>
  hasOnly(value, RULE) &&
  'action' in value &&
  ('protocol' in value || !(asksForPorts(value['source']) || asksForPorts(value['destination'])));

const SPEC: Readonly<Record<string, Check>> = {
  tier: isShortName,
  order: Number.isFinite,
  selector: isSelector,
  types: isTypes,
  ingress: listOf(isRule),
  egress: listOf(isRule),
  serviceAccountSelector: isSelector,
};

/** Undefined: ask the schema. */
export function commonPolicy(value: unknown): NetworkPolicy | undefined {
  if (!isCommon(value)) return undefined;
  const { metadata, spec } = value;
  const tier = spec.tier ?? DEFAULT_TIER;
  return {
    ...value,
    metadata: { ...metadata, labels: { ...metadata.labels, [TIER_LABEL]: tier } },
    spec: withTypes({ ...spec, tier }),
  };
}

type Stored = Omit<NetworkPolicy, 'spec'> & {
  readonly spec: Partial<NetworkPolicy['spec']> & PolicyDirections;
};

function isCommon(value: unknown): value is Stored {
  if (!isFields(value) || Object.keys(value).length !== 4) return false;
  const { apiVersion, kind, metadata, spec } = value;
  if (apiVersion !== 'projectcalico.org/v3' || kind !== 'NetworkPolicy') return false;
  return hasOnly(metadata, METADATA) && 'name' in metadata && hasOnly(spec, SPEC);
}
