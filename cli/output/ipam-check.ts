/** The text of ipam check: calicoctl's, step by step, then what calicoctl does not look for. Pure. */
import type { Finding } from '../resources/ipam-findings.ts';
import { attributesText, type CheckedIpam, isInActivePool } from '../resources/ipam-world.ts';

export interface CheckDetail {
  /** Every address that is taken or used. */
  readonly all: boolean;
  /** Every address that is wrong. */
  readonly problems: boolean;
}

/** Those that calicoctl counts, in its own words. */
const TOLD_AS_CALICO: readonly Finding['kind'][] = ['leaked', 'untaken'];
const MOST_NODES = 20;

export function checkText(checked: CheckedIpam, detail: CheckDetail): string {
  const lines = [
    'Checking IPAM for inconsistencies...',
    '',
    ...blockLines(checked, detail),
    ...poolLines(checked),
    ...userLines(checked, detail),
    ...nodeLines(checked),
    ...addressLines(checked, detail),
    ...handleLines(checked, detail),
    ...otherLines(checked),
    `Check complete; found ${checked.findings.length} problems.`,
  ];
  return `${lines.join('\n')}\n`;
}

function blockLines({ blocks }: CheckedIpam, { all }: CheckDetail): string[] {
  const count = blocks.reduce((sum, { allocations }) => sum + allocations.length, 0);
  return [
    'Loading all IPAM blocks...',
    `Found ${blocks.length} IPAM blocks.`,
    ...blocks.flatMap(({ cidr, affinity, allocations }) => [
      ` IPAM block ${cidr.toString()} affinity=${affinity ?? '<none>'}:`,
      ...(all ? allocations : []).map(
        (allocation) => `  ${allocation.address.toString()} allocated; attrs ${attributesText(allocation)}`,
      ),
    ]),
    `IPAM blocks record ${count} allocations.`,
    '',
  ];
}

function poolLines({ pools }: CheckedIpam): string[] {
  const active = pools.filter(({ spec }) => spec.disabled !== true);
  return [
    'Loading all IPAM pools...',
    ...active.map(({ spec }) => `  ${spec.cidr}`),
    `Found ${active.length} active IP pools.`,
    '',
  ];
}

function userLines({ owners }: CheckedIpam, { all }: CheckDetail): string[] {
  const users = [...owners].flatMap(([address, names]) => names.map((name) => ({ address, name })));
  const of = (prefix: string): typeof users => users.filter(({ name }) => name.startsWith(prefix));
  const told = (some: typeof users): string[] =>
    all ? some.map(({ address, name }) => `  ${address} belongs to ${name}`) : [];
  const [nodes, workloads] = [of('Node('), of('Workload(')];
  return [
    'Loading all nodes.',
    ...told(nodes),
    `Found ${nodes.length} node tunnel IPs.`,
    '',
    'Loading all workload endpoints.',
    ...told(workloads),
    `Found ${workloads.length} workload IPs.`,
    `Workloads and nodes are using ${owners.size} IPs.`,
    '',
  ];
}

function nodeLines({ blocks }: CheckedIpam): string[] {
  const counts = new Map<string, number>();
  for (const { host, allocations } of blocks) {
    for (const { attributes } of allocations) {
      const node = attributes['node'] ?? host ?? '';
      counts.set(node, (counts.get(node) ?? 0) + 1);
    }
  }
  const sorted = [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const median = sorted[Math.floor(sorted.length / 2)]?.[1] ?? 0;
  return [
    'Loading all handles',
    `Looking for top (up to ${MOST_NODES}) nodes by allocations...`,
    ...sorted.slice(0, MOST_NODES).map(([node, count]) => `  ${node} has ${count} allocations`),
    ...(sorted[0] === undefined
      ? []
      : [`Node with most allocations has ${sorted[0][1]}; median is ${median}`]),
    '',
  ];
}

function addressLines(
  { blocks, pools, owners, leaked, findings }: CheckedIpam,
  detail: CheckDetail,
): string[] {
  const told = (lines: readonly string[]): readonly string[] => (detail.problems ? lines : []);
  const unused = blocks
    .flatMap(({ allocations }) => allocations)
    .filter(({ address }) => leaked.has(address.toString()));
  const untaken = findings.filter(({ kind }) => kind === 'untaken').map(({ what }) => what);
  const outside = untaken.filter((address) => !isInActivePool(pools, address));
  const inside = untaken.filter((address) => isInActivePool(pools, address));
  const each = (addresses: readonly string[], what: string): string[] =>
    addresses.flatMap((address) =>
      (owners.get(address) ?? []).map((owner) => `  ${address} in use by ${owner} ${what}.`),
    );
  return [
    'Scanning for IPs that are allocated but not actually in use...',
    ...told(unused.map((one) => `  ${one.address.toString()} leaked; attrs ${attributesText(one)}`)),
    `Found ${unused.length} IPs that are allocated in IPAM but not actually in use.`,
    'Scanning for IPs that are in use by a workload or node but not allocated in IPAM...',
    ...told(each(outside, 'is not in any active IP pool')),
    ...told(each(inside, 'and in active IPAM pool but has no IPAM allocation')),
    `Found ${outside.length} in-use IPs that are not in active IP pools.`,
    `Found ${inside.length} in-use IPs that are in active IP pools but have no corresponding IPAM allocation.`,
    '',
  ];
}

function handleLines({ blocks, handles }: CheckedIpam, { all, problems }: CheckDetail): string[] {
  const used = new Set(
    blocks.flatMap(({ allocations }) => allocations.flatMap(({ handle }) => handle ?? [])),
  );
  const known = new Set(handles.map(({ handle }) => handle));
  const idle = [...known].filter((handle) => !used.has(handle));
  const missing = [...used].filter((handle) => !known.has(handle));
  return [
    'Scanning for IPAM handles with no matching IPs...',
    ...(all ? idle : []).map((handle) => `  ${handle} doesn't have any active IPs.`),
    `Found ${idle.length} handles with no matching IPs (and ${known.size - idle.length} handles with matches).`,
    'Scanning for IPs with missing handle...',
    ...(problems ? missing : []).map((handle) => `  ${handle} is in use in a block but doesn't exist.`),
    `Found ${missing.length} handles mentioned in blocks with no matching handle resource.`,
  ];
}

function otherLines({ findings }: CheckedIpam): string[] {
  const others = findings.filter(({ kind }) => !TOLD_AS_CALICO.includes(kind));
  return [
    'Scanning for blocks, affinities, handles and users that contradict each other...',
    ...others.map(({ kind, what, why }) => `  ${what} (${kind}): ${why}`),
    `Found ${others.length} contradictions.`,
  ];
}
