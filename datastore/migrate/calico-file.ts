/**
 * The file of `calicoctl datastore migrate export`, both ways. Pure.
 *
 * Three parts, with a line `===` between them: lists of v3 resources as YAML, a document per kind; ClusterInformation as
 * JSON; IPAM as JSON, each object with its key in etcd. As Calico has it, workload endpoints, profiles and policies that
 * mirror Kubernetes' own stay behind, identities (uid) do too, and nodes go by their Kubernetes name: the file is for moving to
 * a cluster's API. For everything as it is there is our own format (`dump.ts`).
 */
import { parseAllDocuments, stringify } from 'yaml';
import { API_VERSION, fail, kindInfo, ok, type Problem, type Result } from '../../api/index.ts';
import { DEFAULT_PREFIX, keyAt, pathOf } from '../etcd/keys.ts';
import { parseJson, stringifyJson } from '../json.ts';
import { CLUSTER_INFORMATION } from '../ready.ts';
import { type Key, keyText } from '../store.ts';
import { type Dumped, faultOf, isRecord } from './dump.ts';
import { renamed } from './kubernetes-names.ts';

const PART = '===\n';

/** In Calico's order: what is referred to comes first. */
export const EXPORTED_KINDS = [
  'IPPool',
  'BGPPeer',
  'Tier',
  'GlobalNetworkPolicy',
  'StagedGlobalNetworkPolicy',
  'GlobalNetworkSet',
  'HostEndpoint',
  'KubeControllersConfiguration',
  'NetworkPolicy',
  'StagedNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
  'NetworkSet',
  'Node',
  'BGPConfiguration',
  'FelixConfiguration',
  'IPReservation',
  'BGPFilter',
] as const;

/** Names in the IPAM part, in its order. */
const IPAM_LISTS = [
  ['block_affinities', 'BlockAffinity'],
  ['blocks', 'IPAMBlock'],
  ['handles', 'IPAMHandle'],
] as const;

/** What the controllers of Kubernetes make anew in the new store. */
const MIRRORED = /^knp\.default\./;

const YAML = { sortMapEntries: true, indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false } as const;

export interface CalicoExport {
  readonly text: string;
  readonly exported: number;
  /** Of each kind that the format has no place for. */
  readonly left: ReadonlyMap<string, number>;
}

/** @returns a problem for each node without a Kubernetes name, as calicoctl refuses it too */
export function toCalicoFile(objects: readonly Dumped[]): Result<CalicoExport> {
  const named = renamed(objects);
  if (!named.ok) return named;
  const byKind = Map.groupBy(named.value, ({ key }) => key.kind);
  let exported = 0;
  const taken = (kind: string): readonly Dumped[] => {
    const found = (byKind.get(kind) ?? []).filter(({ key }) => !MIRRORED.test(key.name));
    exported += found.length;
    return found;
  };
  const resources = EXPORTED_KINDS.map((kind) => `${stringify(listOf(kind, taken(kind)), YAML)}---\n`);
  const information = taken(CLUSTER_INFORMATION.kind).map(({ value }) => value)[0];
  const ipam = Object.fromEntries([
    ...IPAM_LISTS.flatMap(([name, kind]) => {
      const pairs = taken(kind).map(pairOf);
      return pairs.length === 0 ? [] : [[name, pairs] as const];
    }),
    ...taken('IPAMConfig').map((one) => ['config', pairOf(one)] as const),
  ]);
  return ok({
    text: [resources.join(''), json(information ?? {}), json(ipam)].join(PART),
    exported,
    left: leftBehind(named.value),
  });
}

function leftBehind(objects: readonly Dumped[]): ReadonlyMap<string, number> {
  const known: ReadonlySet<string> = new Set([
    ...EXPORTED_KINDS,
    CLUSTER_INFORMATION.kind,
    'IPAMConfig',
    ...IPAM_LISTS.map(([, kind]) => kind),
  ]);
  const left = objects.filter(({ key }) => !known.has(key.kind) || MIRRORED.test(key.name));
  return new Map([...Map.groupBy(left, ({ key }) => key.kind)].map(([kind, all]) => [kind, all.length]));
}

function listOf(kind: string, objects: readonly Dumped[]) {
  const items = objects.map(({ value }) => {
    const { uid: _uid, resourceVersion: _version, ...metadata } = record(value['metadata']);
    // As Go writes a time that is none.
    return { ...value, metadata: { ...metadata, creationTimestamp: null } };
  });
  return { apiVersion: API_VERSION, kind: `${kind}List`, metadata: {}, items };
}

function pairOf({ key, value }: Dumped) {
  return { Key: pathOf(DEFAULT_PREFIX, key), Value: value, TTL: 0 };
}

function json(value: unknown): string {
  return `${stringifyJson(value, 2)}\n`;
}

export function isCalicoFile(text: string): boolean {
  return text.split(PART).length === 3;
}

/**
 * All problems of the text; the objects only when there is none. What calicoctl leaves out they lack: uid and
 * creationTimestamp.
 */
export function parseCalicoFile(text: string, file: string): Result<Dumped[]> {
  const [resources = '', information = '', ipam = ''] = text.split(PART);
  const problems: Problem[] = [];
  const objects: Dumped[] = [];
  const seen = new Set<string>();
  const take = (object: Dumped | string, where: string): void => {
    const fault = typeof object === 'string' ? object : faultOf(object, seen);
    if (typeof object === 'string' || fault !== undefined) problems.push(unfit(file, where, fault ?? ''));
    else objects.push(object);
  };
  for (const document of parseAllDocuments(resources, { intAsBigInt: false })) {
    if (document.errors.length > 0)
      problems.push(unfit(file, 'resources', document.errors[0]?.message ?? ''));
    else for (const item of itemsOf(document.toJS())) take(toResource(item), 'resources');
  }
  const found = part(information);
  if (found === undefined) problems.push(unfit(file, 'cluster information', 'is no JSON object'));
  else if (Object.keys(found).length > 0) take(toResource(found), 'cluster information');
  const pairs = part(ipam);
  if (pairs === undefined) problems.push(unfit(file, 'IPAM', 'is no JSON object'));
  else for (const pair of pairsOf(pairs)) take(toIpam(pair), 'IPAM');
  return problems.length > 0 ? fail(...problems) : ok(objects);
}

/** A list, several lists, one resource, or nothing. */
function itemsOf(document: unknown): unknown[] {
  if (document === null || document === undefined) return [];
  if (Array.isArray(document)) return document.flatMap(itemsOf);
  if (!isRecord(document) || !('items' in document)) return [document];
  return Array.isArray(document['items']) ? document['items'] : [];
}

function toResource(item: unknown): Dumped | string {
  if (!isRecord(item) || typeof item['kind'] !== 'string') return 'holds something without a kind';
  const { creationTimestamp, resourceVersion: _version, ...metadata } = record(item['metadata']);
  const { name, namespace = '' } = metadata;
  const info = kindInfo(item['kind']);
  if (typeof name !== 'string' || typeof namespace !== 'string' || info === undefined)
    return `holds a ${item['kind']} without a name, or of a kind that this release does not know`;
  const time = typeof creationTimestamp === 'string' ? { creationTimestamp } : {};
  const key: Key = { kind: info.kind, scope: info.namespaced ? namespace : '', name };
  return { key, value: { ...item, metadata: { ...metadata, ...time } } };
}

function toIpam(pair: unknown): Dumped | string {
  const { Key: path, Value: value } = record(pair);
  const key = typeof path === 'string' ? keyAt(DEFAULT_PREFIX, path) : undefined;
  if (key === undefined) return `holds ${JSON.stringify(path)}, which is no key of IPAM`;
  return isRecord(value) ? { key, value } : `holds ${keyText(key)} without a value`;
}

function pairsOf(ipam: Readonly<Record<string, unknown>>): unknown[] {
  const lists = IPAM_LISTS.flatMap(([name]) => (Array.isArray(ipam[name]) ? (ipam[name] as unknown[]) : []));
  return isRecord(ipam['config']) ? [...lists, ipam['config']] : lists;
}

function part(text: string): Record<string, unknown> | undefined {
  try {
    return record(parseJson(text));
  } catch {
    return undefined;
  }
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function unfit(file: string, where: string, what: string): Problem {
  return {
    code: 'DUMP_OBJECT',
    at: { file },
    value: where,
    what: `its part for ${where} ${what}`,
    remedy: 'export again with calicoctl datastore migrate export, while the datastore is locked',
  };
}
