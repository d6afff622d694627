/**
 * JSON as Go's `encoding/json` writes Calico's structs, so that an object that both have written is the same octets: members
 * of a struct in its order, keys of a map sorted, `<`, `>` and `&` escaped. Pure.
 *
 * The order is known of IPAM's objects, and of what all resources have: `kind` first, and the metadata of Kubernetes. A
 * resource's spec keeps the order that it was written in, which no reader minds.
 */

/** `libcalico-go/lib/backend/model`: AllocationBlock, BlockAffinity, IPAMHandle and IPAMConfig share no name in another order. */
const IPAM = [
  'cidr',
  'affinity',
  'affinity_claim_time',
  'allocations',
  'unallocated',
  'attributes',
  'sequenceNumber',
  'sequenceNumberForAllocation',
  'state',
  'block',
  'deleted',
  'hostAffinity',
  'strict_affinity',
  'auto_allocate_blocks',
  'maxBlocksPerHost',
];
const ATTRIBUTE = ['handle_id', 'secondary', 'alternateOwnerAttrs', 'releasedAt'];
const RESOURCE = ['kind', 'apiVersion', 'metadata', 'spec', 'status'];
/** `k8s.io/apimachinery`, ObjectMeta. */
const METADATA = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** Members that are maps in Go. */
const MAPS: ReadonlySet<string> = new Set([
  'alternateOwnerAttrs',
  'annotations',
  'block',
  'labels',
  'labelsToApply',
  'matchLabels',
  'secondary',
  'sequenceNumberForAllocation',
]);

/** @throws TypeError when `value` as a whole has no JSON form */
export function goJson(value: unknown): string {
  const text = write(value, isIpam(value) ? IPAM : RESOURCE, '');
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}

function isIpam(value: unknown): boolean {
  return isObject(value) && !('kind' in value);
}

/** @param name  of the member that the value is of */
function write(value: unknown, order: readonly string[] | undefined, name: string): string | undefined {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'string':
      return quote(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value)
        ? writeArray(value, order, name)
        : writeObject(value as Record<string, unknown>, order, name);
    default:
      return JSON.stringify(value);
  }
}

function writeArray(array: readonly unknown[], order: readonly string[] | undefined, name: string): string {
  let text = '';
  for (const item of array) text += `,${write(item, order, name) ?? 'null'}`;
  return `[${text.slice(1)}]`;
}

function writeObject(
  object: Readonly<Record<string, unknown>>,
  order: readonly string[] | undefined,
  name: string,
): string {
  const isMap = MAPS.has(name);
  const keys = isMap ? sorted(Object.keys(object)) : ordered(Object.keys(object), order);
  let text = '';
  for (const key of keys) {
    const member = write(object[key], orderOf(key, order), isMap ? '' : key);
    if (member !== undefined) text += `,${quote(key)}:${member}`;
  }
  return `{${text.slice(1)}}`;
}

function orderOf(member: string, order: readonly string[] | undefined): readonly string[] | undefined {
  if (order === IPAM && member === 'attributes') return ATTRIBUTE;
  return order === RESOURCE && member === 'metadata' ? METADATA : undefined;
}

/** What the order does not know stays behind what it knows, as it came. */
function ordered(keys: readonly string[], order: readonly string[] | undefined): readonly string[] {
  if (order === undefined || isOrdered(keys, order)) return keys;
  return [...order.filter((key) => keys.includes(key)), ...keys.filter((key) => !order.includes(key))];
}

/** As most objects are, which we or Calico wrote. */
function isOrdered(keys: readonly string[], order: readonly string[]): boolean {
  let next = 0;
  for (const key of keys) {
    while (next < order.length && order[next] !== key) next++;
    if (next === order.length) return false;
  }
  return true;
}

/** As UTF-8 sorts: a pair of surrogates stands behind all else, not before U+E000. */
function sorted(keys: string[]): string[] {
  const isPlain = keys.every((key) => !SURROGATE.test(key));
  return keys.sort(isPlain ? undefined : (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

const SURROGATE = /[\ud800-\udfff]/;
const ESCAPED = /[<>&\u2028\u2029]/;
/** Of names, keys and CIDRs: nothing to escape in it at all. */
const PLAIN = /^[\w.:/ +-]*$/;

function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const quoted = JSON.stringify(text);
  if (!ESCAPED.test(quoted)) return quoted;
  return quoted.replaceAll(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
