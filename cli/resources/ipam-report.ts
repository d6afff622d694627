/**
 * The report of `ipam check -o FILE`, field for field as calicoctl writes it, so that either tool may release from the
 * other's report. Pure.
 */
import { z } from 'zod';
import { type ClusterInformation, fail, ok, type Result } from '../../api/index.ts';
import { parseJson, stringifyJson } from '../../datastore/json.ts';
import type { ReleaseRequest } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import { type IpamWorld, isWorkload, usersByAddress } from './ipam-findings.ts';

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

export function reportText(world: IpamWorld, cluster: Cluster, version: string): string {
  const users = usersByAddress(world.endpoints);
  const allocations = world.blocks
    .flatMap((block) => block.allocations)
    .map((allocation) => {
      const ip = allocation.address.toString();
      const { pod, namespace, node, type, timestamp } = allocation.attributes;
      const owners = users.get(ip) ?? [];
      return {
        ip,
        handle: allocation.handle,
        sequenceNumber: allocation.sequence,
        pod,
        namespace,
        node,
        type,
        creationTimestamp: timestamp,
        inUse: owners.length > 0 || !isWorkload(allocation),
        borrowed: allocation.borrowed || undefined,
        owners: owners.map((name) => `Workload(${name})`),
      };
    });
  return `${stringifyJson({
    version,
    clusterGUID: cluster.guid,
    datastoreLocked: cluster.locked,
    clusterInformationRevision: cluster.revision,
    clusterType: cluster.type,
    allocations: Object.fromEntries(allocations.map((allocation) => [allocation.ip, [allocation]])),
  })}\n`;
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
});

export interface Report {
  readonly cluster: Omit<Cluster, 'type'>;
  /** Of addresses that nobody used, each only as it was held then. */
  readonly leaked: readonly ReleaseRequest[];
}

export function parseReport(text: string, file: string): Result<Report> {
  const parsed = reportSchema.safeParse(readJson(text));
  if (!parsed.success) return fail(noReport(file, z.prettifyError(parsed.error)));
  const { clusterGUID, datastoreLocked, clusterInformationRevision, allocations } = parsed.data;
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
  return ok({ cluster, leaked });
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
