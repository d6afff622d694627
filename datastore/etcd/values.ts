/**
 * The form in which Calico keeps an object in etcd, both ways. Pure.
 *
 * Policies carry their API name in an annotation and their tier in a label (dialect B, Calico 3.32); the
 * annotation is taken off again on read. Policies that an older Calico wrote (dialect A) lie under
 * `default.<name>` and are read under their own name.
 */
import { DEFAULT_TIER, TIER_LABEL, TIERED_KINDS } from '../../api/index.ts';
import { parseJson } from '../json.ts';
import type { Key } from '../store.ts';
import { goJson } from './go-json.ts';

const METADATA = 'projectcalico.org/metadata';
const POLICIES: ReadonlySet<string> = new Set(TIERED_KINDS);
/** Names that Kubernetes' own policies get; they are no prefix of ours to strip. */
const FOREIGN = /^(?:knp|ossg|kanp|kbanp)\./;
const DIALECT_A = 'default.';

interface Shape {
  readonly metadata?: { readonly labels?: Text; readonly annotations?: Text };
  readonly spec?: { readonly tier?: string };
}
type Text = Readonly<Record<string, string>>;

/** Where else the object may lie: the key that dialect A gives it. */
export function otherKey(key: Key): Key | undefined {
  return POLICIES.has(key.kind) && !key.name.startsWith(DIALECT_A) && !FOREIGN.test(key.name)
    ? { ...key, name: `${DIALECT_A}${key.name}` }
    : undefined;
}

/** @throws TypeError when the value has no JSON form */
export function encodeValue(key: Key, value: unknown): string {
  if (!POLICIES.has(key.kind) || !isShape(value)) return goJson(value);
  const { labels, annotations } = value.metadata ?? {};
  return goJson({
    ...value,
    metadata: {
      ...value.metadata,
      labels: { [TIER_LABEL]: value.spec?.tier ?? DEFAULT_TIER, ...labels },
      annotations: { ...annotations, [METADATA]: JSON.stringify({ name: key.name }) },
    },
  });
}

export interface Decoded {
  /** The key under which callers know the object. */
  readonly key: Key;
  readonly value: unknown;
}

/** Text that is not JSON is the value itself: whoever checks the object then says what is wrong with it. */
export function decodeValue(key: Key, text: string): Decoded {
  const value = parse(text);
  if (!POLICIES.has(key.kind) || !isShape(value)) return { key, value };
  const { [METADATA]: stored, ...annotations } = value.metadata?.annotations ?? {};
  const name = nameIn(stored) ?? withoutTier(key.name, value.spec?.tier ?? DEFAULT_TIER);
  const { annotations: _, ...metadata } = value.metadata ?? {};
  return {
    key: { ...key, name },
    value: {
      ...value,
      metadata: { ...metadata, name, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    },
  };
}

function parse(text: string): unknown {
  if (text === '') return {};
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameIn(annotation: string | undefined): string | undefined {
  if (annotation === undefined) return undefined;
  const value = parse(annotation);
  return isShape(value) && 'name' in value && typeof value.name === 'string' ? value.name : undefined;
}

function withoutTier(name: string, tier: string): string {
  const strip = tier === DEFAULT_TIER && name.startsWith(DIALECT_A) && !FOREIGN.test(name);
  return strip ? name.slice(DIALECT_A.length) : name;
}
