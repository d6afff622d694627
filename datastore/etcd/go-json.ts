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
      if (!Array.isArray(value)) return writeObject(value as Record<string, unknown>, order, name);
      // Numbers are most of a block.
      return `[${value.map((item) => (typeof item === 'number' ? String(item) : (write(item, order, name) ?? 'null'))).join(',')}]`;
    default:
      return JSON.stringify(value);
  }
}

function writeObject(
  object: Readonly<Record<string, unknown>>,
  order: readonly string[] | undefined,
  name: string,
): string {
  const isMap = MAPS.has(name);
  const keys = isMap ? Object.keys(object).sort(byOctets) : ordered(Object.keys(object), order);
  const members = keys.flatMap((key) => {
    const text = write(object[key], orderOf(key, order), isMap ? '' : key);
    return text === undefined ? [] : [`${quote(key)}:${text}`];
  });
  return `{${members.join(',')}}`;
}

function orderOf(member: string, order: readonly string[] | undefined): readonly string[] | undefined {
  if (order === IPAM && member === 'attributes') return ATTRIBUTE;
  return order === RESOURCE && member === 'metadata' ? METADATA : undefined;
}

/** What the order does not know stays behind what it knows, as it came. */
function ordered(keys: readonly string[], order: readonly string[] | undefined): readonly string[] {
  if (order === undefined) return keys;
  const known = order.filter((key) => keys.includes(key));
  return known.length === keys.length ? known : [...known, ...keys.filter((key) => !order.includes(key))];
}

function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const ESCAPED = /[<>&\u2028\u2029]/;

function quote(text: string): string {
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
