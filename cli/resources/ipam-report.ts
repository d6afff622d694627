/**
 * The report of `ipam check -o FILE`, field for field as calicoctl writes it, so that either tool may release from the
 * other's report. Pure.
 */
import { z } from 'zod';
import { type ClusterInformation, fail, ok, type Result } from '../../api/index.ts';
import { parseJson, stringifyJson } from '../../datastore/json.ts';
import type { ReleaseRequest } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import type { CheckedIpam } from './ipam-world.ts';

export interface Cluster {
  readonly guid: string;
  readonly locked: boolean;
  /** Of ClusterInformation: it moves when someone unlocks the datastore in between. */
  readonly revision: string;
  readonly type: string;
}

export function clusterOf(information: ClusterInformation | undefined): Cluster {
  return {
    guid: information?.spec.clusterGUID ?? '',
    locked: information?.spec.datastoreReady === false,
    revision: information?.metadata.resourceVersion ?? '',
    type: information?.spec.clusterType ?? '',
  };
}

/** A handle without addresses, and how it was then. */
export interface LeakedHandle {
  readonly id: string;
  readonly revision: string;
}

export function reportText(checked: CheckedIpam, cluster: Cluster, version: string): string {
  const { blocks, handles, owners, leaked, revisions } = checked;
  const used = new Set(blocks.flatMap(({ allocations }) => allocations.map(({ handle }) => handle)));
  const allocations = blocks
    .flatMap((block) => block.allocations)
    .map((allocation) => {
      const ip = allocation.address.toString();
      const { pod, namespace, node, type, timestamp } = allocation.attributes;
      return {
        ip,
        handle: allocation.handle,
        sequenceNumber: allocation.sequence,
        pod,
        namespace,
        node,
        type,
        creationTimestamp: timestamp,
        inUse: !leaked.has(ip),
        borrowed: allocation.borrowed || undefined,
        owners: owners.get(ip) ?? null,
      };
    });
  const leakedHandles = handles
    .filter(({ handle }) => !used.has(handle))
    .map(({ handle }) => ({ ID: handle, UID: null, Revision: revisions.get(handle) ?? '' }));
  return `${stringifyJson({
    version,
    clusterGUID: cluster.guid,
    datastoreLocked: cluster.locked,
    clusterInformationRevision: cluster.revision,
    clusterType: cluster.type,
    allocations: Object.fromEntries(allocations.map((allocation) => [allocation.ip, [allocation]])),
    ...(leakedHandles.length === 0 ? {} : { leakedHandles }),
  })}\n`;
}

function sameAllocation(a: ReleaseRequest, b: ReleaseRequest): boolean {
  return a.address.equals(b.address) && a.handle === b.handle && a.sequence === b.sequence;
}

const counter = z.union([z.number().int().nonnegative(), z.bigint().nonnegative()]);
const reportSchema = z.object({
  clusterGUID: z.string().prefault(''),
  datastoreLocked: z.boolean(),
  clusterInformationRevision: z.string().prefault(''),
  allocations: z.record(
    z.string(),
    z.array(
      z.object({
        ip: z.string(),
        handle: z.string().optional(),
        sequenceNumber: counter.optional(),
        inUse: z.boolean(),
      }),
    ),
  ),
  leakedHandles: z.array(z.object({ ID: z.string(), Revision: z.string() })).nullish(),
});

export interface Report {
  readonly cluster: Omit<Cluster, 'type'>;
  /** Of addresses that nobody used, each only as it was held then. */
  readonly leaked: readonly ReleaseRequest[];
  readonly handles: readonly LeakedHandle[];
}

/**
 * What is in all reports: an address that is leaked in each as the same allocation, a handle that has not changed. Made some
 * time apart, they tell what is leaked from what was just on its way.
 */
export function commonTo(reports: readonly Report[]): Pick<Report, 'leaked' | 'handles'> {
  const [first, ...others] = reports;
  if (first === undefined) return { leaked: [], handles: [] };
  return {
    leaked: first.leaked.filter((request) =>
      others.every(({ leaked }) => leaked.some((other) => sameAllocation(request, other))),
    ),
    handles: first.handles.filter(({ id, revision }) =>
      others.every(({ handles }) => handles.some((other) => other.id === id && other.revision === revision)),
    ),
  };
}

export function parseReport(text: string, file: string): Result<Report> {
  const parsed = reportSchema.safeParse(readJson(text));
  if (!parsed.success) return fail(noReport(file, z.prettifyError(parsed.error)));
  const { clusterGUID, datastoreLocked, clusterInformationRevision, allocations, leakedHandles } =
    parsed.data;
  const leaked: ReleaseRequest[] = [];
  for (const { ip, handle, sequenceNumber, inUse } of Object.values(allocations).flat()) {
    if (inUse) continue;
    const address = Address.parse(ip);
    if (address === undefined) return fail(noReport(file, `${JSON.stringify(ip)} is no IP address`));
    leaked.push({
      address,
      ...(handle === undefined || handle === '' ? {} : { handle }),
      ...(sequenceNumber === undefined ? {} : { sequence: BigInt(sequenceNumber) }),
    });
  }
  const cluster = { guid: clusterGUID, locked: datastoreLocked, revision: clusterInformationRevision };
  const handles = (leakedHandles ?? []).map(({ ID, Revision }) => ({ id: ID, revision: Revision }));
  return ok({ cluster, leaked, handles });
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function noReport(file: string, why: string) {
  return {
    code: 'REPORT_FORMAT',
    at: { file },
    what: `is no report of ipam check: ${why.replaceAll('\n', ' ')}`,
    remedy: 'write one with: poplin ipam check -o FILE',
  };
}
