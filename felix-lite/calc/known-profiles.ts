/**
 * Profiles: those that are stored, those that namespaces and service accounts make, and the one that is there by its name.
 * What is unknown or broken denies, because nobody can say what it would allow.
 */
import { type Labels, type ResourceOf } from '../../api/index.ts';
import type { Problem } from '../../api/problem.ts';
import { compileRules, plainRule } from './compile.ts';
import type { ActiveProfile, PolicyRule, SetDefinition } from './model.ts';
import { so } from './policies.ts';

type Profile = ResourceOf<'Profile'>;

interface CompiledProfile {
  readonly profile: ActiveProfile;
  readonly sets: readonly SetDefinition[];
}

/** Of what is used now, and of what was before; either may be nothing. */
export type HoldSets = (after?: readonly SetDefinition[], before?: readonly SetDefinition[]) => void;

/** There without being stored. */
const DEFAULT_ALLOW = 'projectcalico-default-allow';

export class KnownProfiles {
  readonly #onLabels: (name: string, labels: Labels | undefined) => void;
  readonly #compiled = new Map<string, CompiledProfile>();
  readonly #stored = new Set<string>();
  readonly #made = new Map<string, Profile>();
  readonly #dirty = new Set<string>();
  /** What others were told; each keeps its sets alive. */
  readonly #active = new Map<string, CompiledProfile>();

  /** @param onLabels  is told what a profile lends to its endpoints; undefined: nothing any more */
  constructor(onLabels: (name: string, labels: Labels | undefined) => void) {
    this.#onLabels = onLabels;
  }

  /**
   * A profile that is stored comes before one that a namespace or a service account would make.
   *
   * @param profile  undefined where it is gone, or broken
   */
  putStored(
    name: string,
    profile: Profile | undefined,
    isThere: boolean,
    problems: readonly Problem[],
  ): readonly Problem[] {
    if (isThere) this.#stored.add(name);
    else this.#stored.delete(name);
    const made = isThere ? undefined : this.#made.get(name);
    return this.#put(name, profile ?? made, isThere, problems);
  }

  /** Undefined: who made it is gone. */
  putMade(name: string, profile: Profile | undefined): void {
    if (profile === undefined) this.#made.delete(name);
    else this.#made.set(name, profile);
    if (!this.#stored.has(name)) this.#put(name, profile, false, []);
  }

  /** It may have come into use, or gone out of it. */
  touch(name: string): void {
    this.#dirty.add(name);
  }

  get size(): number {
    return this.#active.size;
  }

  /** What has changed since the last call, of those that are in use. */
  take(uses: (name: string) => boolean, hold: HoldSets): ReadonlyMap<string, ActiveProfile | undefined> {
    const changes = new Map<string, ActiveProfile | undefined>();
    for (const name of this.#dirty) {
      const before = this.#active.get(name);
      const after = uses(name) ? (this.#compiled.get(name) ?? implicitProfile(name)) : undefined;
      if (before === after) continue;
      hold(after?.sets, before?.sets);
      if (after === undefined) this.#active.delete(name);
      else this.#active.set(name, after);
      changes.set(name, after?.profile);
    }
    this.#dirty.clear();
    return changes;
  }

  #put(
    name: string,
    resource: Profile | undefined,
    isThere: boolean,
    problems: readonly Problem[],
  ): readonly Problem[] {
    this.#onLabels(name, resource?.spec.labelsToApply);
    this.#dirty.add(name);
    if (resource === undefined) {
      this.#compiled.delete(name);
      return isThere ? so(problems, 'it allows nothing') : [];
    }
    const ingress = compileRules(resource.spec.ingress ?? [], undefined, 'spec.ingress');
    const egress = compileRules(resource.spec.egress ?? [], undefined, 'spec.egress');
    this.#compiled.set(name, {
      profile: {
        name,
        ingress: ingress.ok ? ingress.value.rules : deny('spec.ingress'),
        egress: egress.ok ? egress.value.rules : deny('spec.egress'),
      },
      sets: [...(ingress.ok ? ingress.value.sets : []), ...(egress.ok ? egress.value.sets : [])],
    });
    return [
      ...(ingress.ok ? [] : so(ingress.problems, 'it denies all ingress')),
      ...(egress.ok ? [] : so(egress.problems, 'it denies all egress')),
    ];
  }
}

/** Of a profile that nobody has stored: one allows by its name, all others deny. */
function implicitProfile(name: string): CompiledProfile {
  const rules = name === DEFAULT_ALLOW ? [plainRule('Allow', 'spec')] : deny('spec');
  return { profile: { name, ingress: rules, egress: rules }, sets: [] };
}

function deny(field: string): readonly PolicyRule[] {
  return [plainRule('Deny', field)];
}
