/**
 * Resources as a datastore holds them, for the evaluator: a policy that is not valid (another tool wrote it) stands for one
 * that denies everything to those it is for, as far as that can be read. Written apart from calc, which has to come to the
 * same. Pure.
 */
import { parseSelector, type Resource, validate } from '../../api/index.ts';
import { madeFrom } from '../../api/kubernetes/index.ts';
import { commonWorkload } from '../calc/stored-workload.ts';

type Fields = Readonly<Record<string, unknown>>;

export function readResources(values: Iterable<unknown>): readonly Resource[] {
  return Array.from(values, read).filter((each) => each !== undefined);
}

/** What a mirror holds is the same value until it changes: it is checked once. */
const READ = new WeakMap<object, { readonly resource: Resource | undefined }>();

function read(value: unknown): Resource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const known = READ.get(value);
  if (known !== undefined) return known.resource;
  const resource = check(value);
  READ.set(value, { resource });
  return resource;
}

function check(value: object): Resource | undefined {
  // Workloads are many and alike; their common shape is known without the schema.
  const common = commonWorkload(value);
  if (common !== undefined) return common;
  const checked = validate(value);
  return checked.ok ? checked.value : denialFor(value);
}

function denialFor(value: unknown): Resource | undefined {
  const { kind, apiVersion } = fieldsOf(value);
  if (kind === 'GlobalNetworkPolicy') return closed(value, selectorsOf(value, true));
  if (kind === 'KubernetesNetworkPolicy' || (kind === 'NetworkPolicy' && isKubernetes(apiVersion)))
    return closedKubernetes(value);
  // Nobody can say whom of its namespace it is for: then for all of it.
  if (kind === 'NetworkPolicy') return closed(value, selectorsOf(value, false) ?? {});
  return typeof kind === 'string' && CLUSTER.has(kind) ? closedCluster(value) : undefined;
}

const CLUSTER: ReadonlySet<string> = new Set([
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

function isKubernetes(apiVersion: unknown): boolean {
  return apiVersion === 'networking.k8s.io/v1';
}

/** Undefined where one of them is no selector, or a policy's namespaces cannot be told. */
function selectorsOf(value: unknown, namespaces: boolean): Fields | undefined {
  const { selector, serviceAccountSelector, namespaceSelector } = fieldsOf(fieldsOf(value)['spec']);
  const given = {
    selector,
    serviceAccountSelector,
    ...(namespaces ? { namespaceSelector } : {}),
  };
  const said = Object.entries(given).filter(([, text]) => text !== undefined && text !== null && text !== '');
  return said.every(([, text]) => typeof text === 'string' && parseSelector(text).ok)
    ? Object.fromEntries(said)
    : undefined;
}

/** Undefined: nobody can say whom it is for, and a whole cluster it must not close. */
function closed(value: unknown, selectors: Fields | undefined): Resource | undefined {
  if (selectors === undefined) return undefined;
  const { spec, metadata, kind } = fieldsOf(value);
  const { tier, order, doNotTrack, preDNAT, applyOnForward } = fieldsOf(spec);
  const { name, namespace } = fieldsOf(metadata);
  const untracked = doNotTrack === true;
  return {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name, ...(typeof namespace === 'string' ? { namespace } : {}) },
    spec: {
      tier: typeof tier === 'string' ? tier : 'default',
      ...(typeof order === 'number' ? { order } : {}),
      ...selectors,
      types: ['Ingress', 'Egress'],
      ingress: [{ action: 'Deny' }],
      egress: [{ action: 'Deny' }],
      ...(untracked ? { doNotTrack } : preDNAT === true ? { preDNAT } : {}),
      ...(applyOnForward === true ? { applyOnForward } : {}),
    },
  } as unknown as Resource;
}

function closedKubernetes(value: unknown): Resource | undefined {
  const { spec, ...head } = fieldsOf(value);
  const { podSelector } = fieldsOf(spec);
  for (const each of [podSelector, {}]) {
    const read = validate({ ...head, spec: { podSelector: each, policyTypes: ['Ingress', 'Egress'] } });
    const closed = read.ok ? denying(read.value) : undefined;
    if (closed !== undefined) return closed;
  }
  return undefined;
}

function closedCluster(value: unknown): Resource | undefined {
  const { spec, ...head } = fieldsOf(value);
  const { tier, priority, subject } = fieldsOf(spec);
  for (const kept of [{ tier, priority, subject }, { priority, subject }, { subject }]) {
    const given = Object.fromEntries(Object.entries(kept).filter(([, field]) => field !== undefined));
    const read = validate({ ...head, spec: given });
    const closed = read.ok ? denying(read.value) : undefined;
    if (closed !== undefined) return closed;
  }
  return undefined;
}

/** What the policy of Kubernetes becomes, denying everything; it is asked at the place of that policy and under its name. */
function denying(policy: Resource): Resource | undefined {
  const made = madeFrom(policy)?.resource;
  if (made?.kind !== 'GlobalNetworkPolicy' && made?.kind !== 'NetworkPolicy') return undefined;
  const denial: Resource = {
    ...made,
    spec: {
      ...made.spec,
      types: ['Ingress', 'Egress'],
      ingress: [{ action: 'Deny' }],
      egress: [{ action: 'Deny' }],
    },
  };
  STANDS_FOR.set(denial, policy);
  return denial;
}

const STANDS_FOR = new WeakMap<Resource, Resource>();

/** The policy of Kubernetes in whose place a denial of {@link readResources} stands. */
export function standsFor(resource: Resource): Resource | undefined {
  return STANDS_FOR.get(resource);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
