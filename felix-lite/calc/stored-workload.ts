/**
 * WorkloadEndpoints as the store gives them, ten thousand at a time. They were validated when they were written, and the
 * whole schema takes most of the time of a first load; the common shape is checked by hand instead, in microseconds, and
 * is never taken where the schema would refuse. Anything out of the common goes to the schema.
 */
import type { ResourceOf } from '../../api/index.ts';
import { wepName } from '../../api/kinds/workload-names.ts';
import { Address } from '../../net/addr/index.ts';
import { type Check, hasOnly, isFields, isName, isText, listOf, matches, METADATA } from './stored-fields.ts';

/** IFNAMSIZ less the final NUL. */
const INTERFACE = /^[A-Za-z0-9_-]{1,15}$/;
const MAC = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/;
/** Short enough that a hash of it cannot be asked for. */
const PORT_NAME = /^[a-z][a-z0-9]{0,14}$/;

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
