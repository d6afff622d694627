/**
 * The selectors that policies really mean: the namespace they live in, namespaceSelector, serviceAccounts and
 * selector put together into one, over labels that endpoints carry or inherit. The shape of each composition is
 * Calico's, because the ids of address sets are hashes of its text.
 */
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import {
  Selector,
  type SelectorNode,
  compareText,
  mapLabels,
  parseSelector,
} from '../../api/selector/index.ts';

export const NAMESPACE_LABEL = 'projectcalico.org/namespace';
export const SERVICE_ACCOUNT_LABEL = 'projectcalico.org/serviceaccount';
/** Labels of an endpoint's namespace and service account, inherited through profiles. */
export const NAMESPACE_PREFIX = 'pcns.';
export const SERVICE_ACCOUNT_PREFIX = 'pcsa.';

export interface ServiceAccounts {
  readonly names?: readonly string[] | undefined;
  readonly selector?: string | undefined;
}

/** What one side of a rule says about who it is. */
export interface Peer {
  readonly selector?: string | undefined;
  readonly notSelector?: string | undefined;
  readonly namespaceSelector?: string | undefined;
  readonly serviceAccounts?: ServiceAccounts | undefined;
}

/** What a policy says about whom it is for. */
export interface Subject {
  readonly selector?: string | undefined;
  readonly namespaceSelector?: string | undefined;
  readonly serviceAccountSelector?: string | undefined;
}

/** @param namespace  of the policy; undefined for a GlobalNetworkPolicy */
export function policySelector(subject: Subject, namespace: string | undefined): Result<Selector> {
  const parts = new Parts();
  const own = parts.parse(subject.selector, 'spec.selector');
  const inNamespace = namespace === undefined ? undefined : equals(NAMESPACE_LABEL, namespace);
  // An empty selector in a namespace is the namespace alone.
  let node = inNamespace === undefined ? own : own === undefined ? inNamespace : and(own, inNamespace);
  const namespaces = parts.parse(subject.namespaceSelector, 'spec.namespaceSelector');
  if (namespaces !== undefined && namespace === undefined) node = and(node, namespaceTerm(namespaces));
  const accounts = parts.parse(subject.serviceAccountSelector, 'spec.serviceAccountSelector');
  if (accounts !== undefined) node = and(node, serviceAccountTerm(accounts));
  return parts.result(new Selector(node ?? { op: 'all' }));
}

export interface PeerSelectors {
  /** Undefined: no selector field limits this side. */
  readonly selects: Selector | undefined;
  /** Only where there is nothing positive to subtract it from. */
  readonly excludes: Selector | undefined;
}

/** @param field  of the side, e.g. `spec.ingress[0].source`, for problems */
export function peerSelectors(
  peer: Peer,
  namespace: string | undefined,
  field: string,
): Result<PeerSelectors> {
  const parts = new Parts();
  const own = parts.parse(peer.selector, `${field}.selector`);
  const not = parts.parse(peer.notSelector, `${field}.notSelector`);
  const given = parts.parse(peer.namespaceSelector, `${field}.namespaceSelector`);
  const accounts = accountsTerm(peer.serviceAccounts, parts, `${field}.serviceAccounts`);
  const asked = own ?? not ?? given ?? accounts;
  const home =
    namespace === undefined || asked === undefined ? undefined : equals(NAMESPACE_LABEL, namespace);
  const who = accounts === undefined ? own : own === undefined ? accounts : and(accounts, own);
  const where = given === undefined ? home : namespaceTerm(given);
  const selects = where === undefined ? who : who === undefined ? where : and(where, who);
  // Known endpoints less some known endpoints is one smaller set; "anyone but" is not a set of endpoints.
  const combined =
    selects === undefined || not === undefined ? selects : and(selects, { op: 'not', operand: not });
  return parts.result({
    selects: combined === undefined ? undefined : new Selector(combined),
    excludes: selects === undefined && not !== undefined ? new Selector(not) : undefined,
  });
}

/** In a namespaceSelector, `all()` is any namespace and `global()` is none. */
function namespaceTerm(node: SelectorNode): SelectorNode {
  const inSome: SelectorNode = { op: 'has', label: NAMESPACE_LABEL };
  return replaceAll(prefixed(node, NAMESPACE_PREFIX), inSome, { op: 'not', operand: inSome });
}

function serviceAccountTerm(node: SelectorNode): SelectorNode {
  const any: SelectorNode = { op: 'has', label: SERVICE_ACCOUNT_LABEL };
  return replaceAll(prefixed(node, SERVICE_ACCOUNT_PREFIX), any, { op: 'global' });
}

function accountsTerm(
  accounts: ServiceAccounts | undefined,
  parts: Parts,
  field: string,
): SelectorNode | undefined {
  if (accounts === undefined) return undefined;
  const selected = parts.parse(accounts.selector, `${field}.selector`);
  const byLabel = selected === undefined ? undefined : prefixed(selected, SERVICE_ACCOUNT_PREFIX);
  const names = [...new Set(accounts.names ?? [])].sort(compareText);
  if (names.length === 0) return byLabel;
  const byName: SelectorNode = { op: 'in', label: SERVICE_ACCOUNT_LABEL, values: names };
  return byLabel === undefined ? byName : and(byLabel, byName);
}

function prefixed(node: SelectorNode, prefix: string): SelectorNode {
  return mapLabels(node, (label) => prefix + label);
}

/** Puts `all` and `global` in the place of `all()` and `global()`, wherever they stand. */
function replaceAll(node: SelectorNode, all: SelectorNode, global: SelectorNode): SelectorNode {
  switch (node.op) {
    case 'all':
      return all;
    case 'global':
      return global;
    case 'not':
      return { op: 'not', operand: replaceAll(node.operand, all, global) };
    case 'and':
    case 'or':
      return { op: node.op, operands: node.operands.map((operand) => replaceAll(operand, all, global)) };
    default:
      return node;
  }
}

function equals(label: string, value: string): SelectorNode {
  return { op: '==', label, value };
}

function and(left: SelectorNode | undefined, right: SelectorNode): SelectorNode {
  return left === undefined ? right : { op: 'and', operands: [left, right] };
}

/** Collects the problems of several selectors, so that one answer names them all. */
class Parts {
  readonly #problems: Problem[] = [];

  /** Undefined for a field that is absent or empty, and for one that does not parse. */
  parse(text: string | undefined, field: string): SelectorNode | undefined {
    if (text === undefined || text.trim() === '') return undefined;
    const parsed = parseSelector(text);
    if (parsed.ok) return parsed.value.root;
    this.#problems.push(...parsed.problems.map((problem) => ({ ...problem, field })));
    return undefined;
  }

  result<T>(value: T): Result<T> {
    return this.#problems.length === 0 ? ok(value) : fail(...this.#problems);
  }
}
