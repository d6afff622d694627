/**
 * All policies, which of this node's endpoints each selects, and which of them this node needs. Policies of one selector are
 * asked for their endpoints together, and a change of one touches no endpoint that it does not select.
 */
import { LabelIndex } from './label-index.ts';
import { isHost } from './local-hosts.ts';
import { type ActivePolicy, type EndpointKey, type PolicyId, type PolicyKey, policyKey } from './model.ts';
import type { HoldSets } from './known-profiles.ts';
import type { Policy, ReadPolicy } from './policies.ts';

export class KnownPolicies {
  /** Which policies' selectors select which of this node's endpoints. */
  readonly selection: LabelIndex<EndpointKey>;
  readonly #touch: (endpoint: EndpointKey) => void;
  readonly #policies = new Map<PolicyKey, Policy>();
  readonly #bySelector = new Map<string, Set<PolicyKey>>();
  readonly #byTier = new Map<string, Set<PolicyKey>>();
  readonly #dirty = new Set<PolicyKey>();
  /** What others were told; each keeps its sets alive. */
  readonly #active = new Map<PolicyKey, Policy>();
  /** Those that cannot be enforced as they are written, by their names. */
  readonly #broken = new Map<string, PolicyKey>();

  /** @param touch  is told of endpoints whose policies, or the order of these, may have changed */
  constructor(touch: (endpoint: EndpointKey) => void) {
    this.#touch = touch;
    const changed = (endpoint: EndpointKey, selectorId: string): void => {
      touch(endpoint);
      for (const key of this.#bySelector.get(selectorId) ?? []) this.#dirty.add(key);
    };
    this.selection = new LabelIndex({ matched: changed, unmatched: changed });
  }

  /** @param name  by which people know it */
  put(id: PolicyId, name: string, { policy: after, problems }: ReadPolicy): void {
    const key = policyKey(id);
    if (problems.length === 0) this.#broken.delete(name);
    else this.#broken.set(name, key);
    const before = this.#policies.get(key);
    // The new selector first, so that endpoints which both select are not let go in between.
    if (after === undefined) this.#policies.delete(key);
    else {
      this.#policies.set(key, after);
      this.#listen(after, key);
    }
    if (before !== undefined && before.selector.id !== after?.selector.id) this.#stopListening(before, key);
    if (before !== undefined) this.#fileUnderTier(before, key, false);
    if (after !== undefined) this.#fileUnderTier(after, key, true);
    for (const policy of [before, after]) if (policy !== undefined) this.#touchSelected(policy);
    this.#dirty.add(key);
  }

  /** The tier's place, or its end, has changed. */
  touchTier(name: string): void {
    for (const key of this.#byTier.get(name) ?? []) {
      const policy = this.#policies.get(key);
      if (policy !== undefined) this.#touchSelected(policy);
    }
  }

  /** In no order. */
  *of(endpoint: EndpointKey): Iterable<Policy> {
    for (const selectorId of this.selection.selectorsOf(endpoint)) {
      for (const key of this.#bySelector.get(selectorId) ?? []) {
        const policy = this.#policies.get(key);
        if (policy !== undefined) yield policy;
      }
    }
  }

  /** Endpoints of this node under each policy that cannot be enforced as it is written, by the names of the policies. */
  closed(): ReadonlyMap<string, readonly EndpointKey[]> {
    const closed = new Map<string, readonly EndpointKey[]>();
    for (const [name, key] of this.#broken) {
      const policy = this.#policies.get(key);
      closed.set(name, policy === undefined ? [] : [...this.selection.matching(policy.selector.id)].sort());
    }
    return closed;
  }

  get size(): number {
    return this.#active.size;
  }

  /** What has changed since the last call, of those that this node needs. */
  take(hold: HoldSets): ReadonlyMap<PolicyKey, ActivePolicy | undefined> {
    const changes = new Map<PolicyKey, ActivePolicy | undefined>();
    for (const key of this.#dirty) {
      const before = this.#active.get(key);
      const known = this.#policies.get(key);
      const after = known !== undefined && this.#isInUse(known) ? known : undefined;
      if (before === after) continue;
      hold(after?.sets, before?.sets);
      if (after === undefined) this.#active.delete(key);
      else this.#active.set(key, after);
      changes.set(
        key,
        after === undefined
          ? undefined
          : { id: after.id, stage: after.stage, tier: after.tier, ...after.rules },
      );
    }
    this.#dirty.clear();
    return changes;
  }

  #isInUse({ selector, stage, everywhere }: Policy): boolean {
    if (everywhere) return true;
    const selected = this.selection.matching(selector.id);
    return stage === 'normal' ? selected.size > 0 : [...selected].some(isHost);
  }

  #touchSelected({ selector }: Policy): void {
    for (const endpoint of this.selection.matching(selector.id)) this.#touch(endpoint);
  }

  #fileUnderTier({ tier }: Policy, key: PolicyKey, isThere: boolean): void {
    const keys = this.#byTier.get(tier) ?? new Set();
    if (isThere) keys.add(key);
    else keys.delete(key);
    if (keys.size === 0) this.#byTier.delete(tier);
    else this.#byTier.set(tier, keys);
  }

  #listen({ selector }: Policy, key: PolicyKey): void {
    const listeners = this.#bySelector.get(selector.id);
    if (listeners !== undefined) {
      listeners.add(key);
      return;
    }
    this.#bySelector.set(selector.id, new Set([key]));
    this.selection.putSelector(selector);
  }

  #stopListening({ selector }: Policy, key: PolicyKey): void {
    const listeners = this.#bySelector.get(selector.id);
    for (const endpoint of this.selection.matching(selector.id)) this.#touch(endpoint);
    if (listeners?.delete(key) === true && listeners.size === 0) {
      this.#bySelector.delete(selector.id);
      this.selection.deleteSelector(selector.id);
    }
  }
}
