/**
 * WorkloadEndpoints as the store gives them, ten thousand at a time. They were validated when they were written, and the
 * whole schema takes most of the time of a first load; the common shape is checked by hand instead, in microseconds, and
 * is never taken where the schema would refuse. Anything out of the common goes to the schema.
 */
import type { ResourceOf } from '../../api/index.ts';
import { wepName } from '../../api/kinds/workload-names.ts';
import { Address } from '../../net/addr/index.ts';

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const NAME_LIMIT = 253;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL =
  /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_LIMIT = 63;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/;
/** IFNAMSIZ less the final NUL. */
const INTERFACE = /^[A-Za-z0-9_-]{1,15}$/;
const MAC = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/;
/** Short enough that a hash of it cannot be asked for. */
const PORT_NAME = /^[a-z][a-z0-9]{0,14}$/;

const isText: Check = (value) => typeof value === 'string';
const isName: Check = (value) => typeof value === 'string' && value.length <= NAME_LIMIT && NAME.test(value);
const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

/** As it is stored by every writer: `10.0.0.1/32`, `fd00::1/128`. */
const isHost: Check = (value) => {
  if (typeof value !== 'string') return false;
  const slash = value.indexOf('/');
  const address = Address.parse(value.slice(0, Math.max(slash, 0)));
  return address !== undefined && value.slice(slash + 1) === String(address.bits);
};

const isPort: Check = (value) =>
  hasOnly(value, {
    name: matches(PORT_NAME),
    protocol: (each) => each === 'TCP' || each === 'UDP' || each === 'SCTP',
    port: (each) => Number.isInteger(each) && Number(each) >= 1 && Number(each) <= 65_535,
  }) && ['name', 'protocol', 'port'].every((key) => key in value);

const isLabels: Check = (value) =>
  isFields(value) &&
  Object.entries(value).every(
    ([key, text]) =>
      key.length <= LABEL_LIMIT && LABEL.test(key) && typeof text === 'string' && LABEL_VALUE.test(text),
  );

const METADATA: Readonly<Record<string, Check>> = {
  name: isName,
  namespace: matches(NAMESPACE),
  labels: isLabels,
};

const SPEC: Readonly<Record<string, Check>> = {
  orchestrator: (value) => value === 'k8s',
  node: isName,
  pod: isName,
  containerID: isText,
  endpoint: isText,
  serviceAccountName: isText,
  interfaceName: matches(INTERFACE),
  mac: matches(MAC),
  ipNetworks: listOf(isHost),
  profiles: listOf(isName),
  ports: listOf(isPort),
};

/** Undefined: ask the schema. */
export function commonWorkload(value: unknown): ResourceOf<'WorkloadEndpoint'> | undefined {
  return isCommon(value) ? value : undefined;
}

function isCommon(value: unknown): value is ResourceOf<'WorkloadEndpoint'> {
  if (!isFields(value) || Object.keys(value).length !== 4) return false;
  const { apiVersion, kind, metadata, spec } = value;
  if (apiVersion !== 'projectcalico.org/v3' || kind !== 'WorkloadEndpoint') return false;
  if (!hasOnly(metadata, METADATA) || !('name' in metadata && 'namespace' in metadata)) return false;
  if (!hasOnly(spec, SPEC) || !('orchestrator' in spec && 'node' in spec)) return false;
  return wepName(spec as ResourceOf<'WorkloadEndpoint'>['spec']) === metadata.name;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(value: unknown, checks: Readonly<Record<string, Check>>): value is Fields {
  if (!isFields(value)) return false;
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (check === undefined || !check(value[key])) return false;
  }
  return true;
}
