/** Which pools an address may come from. Pure. */
import { fail, type IPPool, ok, parseSelector, type Problem, type Result } from '../api/index.ts';
import type { Labels } from '../api/index.ts';
import { type Address, type IpVersion, Prefix } from '../net/addr/index.ts';

export type Use = IPPool['spec']['allowedUses'][number];

export interface Pool {
  readonly name: string;
  readonly cidr: Prefix;
  /** Prefix length of its blocks. */
  readonly blockLength: number;
}

/** Who asks, and which pools are open to them. */
export interface PoolSelection {
  /** Name of the node; its blocks belong to `host:<node>`. */
  readonly host: string;
  /** Names or CIDRs, in order; instead of what the pools' selectors say. */
  readonly v4Pools?: readonly string[];
  readonly v6Pools?: readonly string[];
  readonly nodeLabels?: Labels;
  readonly namespaceLabels?: Labels;
  /** Default `Workload`. */
  readonly use?: Use;
}

export interface PoolRequest {
  readonly version: IpVersion;
  readonly use: Use;
  readonly nodeLabels: Labels;
  /** Absent when the caller knows of no namespace: pools with a namespaceSelector are then passed over. */
  readonly namespaceLabels?: Labels | undefined;
  /** Names or CIDRs, in order of preference. Selectors and assignmentMode are ignored for them, as in Calico. */
  readonly requested?: readonly string[] | undefined;
}

const USUAL_BLOCK_LENGTH = { 4: 26, 6: 122 } as const;

export function toPool({ metadata, spec }: IPPool): Pool | undefined {
  const cidr = Prefix.parse(spec.cidr);
  if (cidr === undefined) return undefined;
  return { name: metadata.name, cidr, blockLength: spec.blockSize ?? USUAL_BLOCK_LENGTH[cidr.version] };
}

/** Pools to try, in order; never an empty list. */
export function choosePools(all: readonly IPPool[], request: PoolRequest): Result<Pool[]> {
  const candidates =
    request.requested === undefined ? automatic(all, request) : named(all, request.requested);
  if (!candidates.ok) return candidates;
  const pools = candidates.value
    .filter(({ spec }) => spec.disabled !== true && spec.allowedUses.includes(request.use))
    .flatMap((pool) => toPool(pool) ?? [])
    .filter(({ cidr }) => cidr.version === request.version);
  return pools.length > 0 ? ok(pools) : fail(noPool(request));
}

function automatic(all: readonly IPPool[], request: PoolRequest): Result<IPPool[]> {
  const fitting = all.filter(
    ({ spec }) =>
      spec.assignmentMode === 'Automatic' &&
      selects(spec.nodeSelector, request.nodeLabels) &&
      selects(spec.namespaceSelector, request.namespaceLabels),
  );
  return ok(fitting.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)));
}

/** Whether a node may take blocks from the pool. */
export function selectsNode({ spec }: IPPool, nodeLabels: Labels): boolean {
  return selects(spec.nodeSelector, nodeLabels);
}

function selects(selector: string | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined || selector === '') return true;
  const parsed = parseSelector(selector);
  // A selector that a newer release understands and we do not selects nothing here.
  return parsed.ok && labels !== undefined && parsed.value.matches(labels);
}

function named(all: readonly IPPool[], requested: readonly string[]): Result<IPPool[]> {
  const problems: Problem[] = [];
  const pools: IPPool[] = [];
  for (const wanted of requested) {
    const pool = all.find(
      ({ metadata, spec }) => metadata.name === wanted || spec.cidr === canonical(wanted),
    );
    if (pool === undefined) problems.push(unknownPool(wanted));
    else pools.push(pool);
  }
  return problems.length > 0 ? fail(...problems) : ok(pools);
}

function canonical(cidr: string): string | undefined {
  return Prefix.parse(cidr)?.toString();
}

/** Those that are open to a caller, in order; never an empty list. */
export function poolsFor(
  all: readonly IPPool[],
  version: IpVersion,
  selection: PoolSelection,
): Result<Pool[]> {
  return choosePools(all, {
    version,
    use: selection.use ?? 'Workload',
    nodeLabels: selection.nodeLabels ?? {},
    namespaceLabels: selection.namespaceLabels,
    requested: version === 4 ? selection.v4Pools : selection.v6Pools,
  });
}

/** The enabled pool that an address lies in. @param use  that the pool must allow; absent where the caller does not say */
export function poolOf(all: readonly IPPool[], address: Address, use?: Use): Pool | undefined {
  return all
    .filter(({ spec }) => spec.disabled !== true && (use === undefined || spec.allowedUses.includes(use)))
    .flatMap((pool) => toPool(pool) ?? [])
    .find(({ cidr }) => cidr.contains(address));
}

/** All pools around an address, enabled or not. */
export function poolsAround(all: readonly IPPool[], address: Address): IPPool[] {
  return all.filter(({ spec }) => Prefix.parse(spec.cidr)?.contains(address) === true);
}

function unknownPool(wanted: string): Problem {
  return {
    code: 'POOL_UNKNOWN',
    what: `there is no IPPool ${JSON.stringify(wanted)}`,
    remedy: 'name one of those that poplin get ippools shows',
    value: wanted,
  };
}

function noPool({ version, use, requested }: PoolRequest): Problem {
  const which = requested === undefined ? 'for this node' : `among ${requested.join(', ')}`;
  return {
    code: 'POOL_NONE',
    what: `no enabled IPv${version} pool ${which} allows the use ${use}`,
    remedy: 'apply an IPPool, or see the selectors, disabled and allowedUses of: poplin get ippools -o yaml',
  };
}
