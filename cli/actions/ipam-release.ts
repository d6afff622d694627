/** ipam release: one address, or all that a report of ipam check found leaked. Never one that an endpoint uses. */
import { readFileSync } from 'node:fs';
import { fail, ok, PoplinError, type Problem, type Result, unwrap } from '../../api/index.ts';
import type { ReleaseRequest } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, type ExitCode, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { usersByAddress } from '../resources/ipam-findings.ts';
import {
  type Cluster,
  clusterOf,
  commonTo,
  type LeakedHandle,
  parseReport,
  type Report,
} from '../resources/ipam-report.ts';
import { ipamOf, type OpenStore, withStore } from '../store.ts';
import type { ipamReleaseTable } from '../tables/ipam.ts';
import type { Terminal } from '../terminal.ts';

type ReportFile = Report & { readonly file: string };
type ReleaseArguments = Arguments<typeof ipamReleaseTable>;

export const ipamRelease: Action<ReleaseArguments> = async (args, terminal) => {
  const { ip, force } = args;
  const files = args['from-report'];
  if ((ip === undefined) === (files.length === 0))
    throw new UsageError('give either --ip ADDRESS or --from-report FILE');
  if (ip !== undefined) {
    const address = Address.parse(ip);
    if (address === undefined) throw new UsageError(`--ip ${ip} is not an IP address`);
    return withStore(args, terminal, (open) => releaseOne(open, address, force, terminal));
  }
  const reports = files.map((file) => ({ file, ...unwrap(parseReport(read(file), file)) }));
  return withStore(args, terminal, (open) => releaseLeaked(open, reports, force, terminal));
};

async function releaseOne(
  open: OpenStore,
  address: Address,
  force: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const ip = address.toString();
  const users = (await usersNow(open)).get(ip) ?? [];
  if (users.length > 0 && !force) unwrap(fail(inUse(ip, users)));
  const ipam = ipamOf(open);
  const freed = unwrap(await ipam.release([address]));
  if (freed.length === 0) {
    const released = (await ipam.whoHas(address))?.releasedAt;
    if (released === undefined) unwrap(fail(notAssigned(ip)));
    terminal.out(`IP address ${ip} was released already, at ${released}, and cools down\n`);
    return EXIT.ok;
  }
  terminal.out(`Successfully released IP address ${ip}\n`);
  return EXIT.ok;
}

async function releaseLeaked(
  open: OpenStore,
  reports: readonly ReportFile[],
  force: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const information = await open.client.get('ClusterInformation', 'default');
  const now = clusterOf(information.ok ? information.value : undefined);
  unwrap(trust(reports, now, force));
  const { leaked, handles } = commonTo(reports);
  const problems = [
    ...(await releaseAddresses(open, leaked, terminal)),
    ...(await deleteHandles(open, handles, terminal)),
  ];
  tellProblems(problems, terminal);
  if (now.locked) terminal.out('You may now unlock the data store.\n');
  return problems.length === 0 ? EXIT.ok : EXIT.failure;
}

/** As calicoctl: all reports are of this cluster, and one at least was made under the lock that holds still. */
function trust(reports: readonly ReportFile[], now: Cluster, force: boolean): Result<void> {
  const foreign = reports.filter(({ cluster }) => cluster.guid !== now.guid);
  if (foreign.length > 0) return fail(...foreign.map(({ file }) => otherCluster(file)));
  if (force) return ok(undefined);
  if (!now.locked) return fail(notLocked());
  const current = reports.some(({ cluster }) => cluster.locked && cluster.revision === now.revision);
  return current ? ok(undefined) : fail(...reports.map(({ file }) => outdated(file)));
}

async function releaseAddresses(
  open: OpenStore,
  leaked: readonly ReleaseRequest[],
  terminal: Terminal,
): Promise<readonly Problem[]> {
  if (leaked.length === 0) {
    terminal.out("Report didn't contain any leaked IPs to clean up.\n");
    return [];
  }
  terminal.out(`Releasing ${leaked.length} old IPs...\n`);
  const users = await usersNow(open);
  const unused = leaked.filter(({ address }) => !users.has(address.toString()));
  const { freed, problems } = await ipamOf(open).releaseEach(unused);
  terminal.out(`Released ${freed.length} IPs successfully\n`);
  const free = unused.length - freed.length - problems.length;
  if (free > 0)
    terminal.out(`${free} addresses marked as leaked in the report had already been cleaned up.\n`);
  const used = leaked.length - unused.length;
  if (used > 0) terminal.out(`${used} addresses are used by now and were left alone.\n`);
  return problems;
}

async function deleteHandles(
  { store }: OpenStore,
  handles: readonly LeakedHandle[],
  terminal: Terminal,
): Promise<Problem[]> {
  if (handles.length === 0) {
    terminal.out("Report didn't contain any handles to clean up.\n");
    return [];
  }
  terminal.out(`Deleting ${handles.length} handles...\n`);
  let deleted = 0;
  for (const { id: name, revision } of handles) {
    const key = { kind: 'IPAMHandle', scope: '', name };
    if ((await store.commit([{ type: 'delete', key, expect: { revision } }])).ok) deleted++;
  }
  terminal.out(`Released ${deleted} handles; ${handles.length - deleted} skipped; 0 errors.\n`);
  return [];
}

async function usersNow({ client }: OpenStore): Promise<ReadonlyMap<string, readonly string[]>> {
  return usersByAddress(unwrap(await client.list('WorkloadEndpoint')));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new PoplinError([
      {
        code: 'FILE_UNREADABLE',
        value: file,
        what: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        remedy: 'name a file that poplin ipam check -o FILE has written',
      },
    ]);
  }
}

function inUse(ip: string, users: readonly string[]): Problem {
  return {
    code: 'ADDRESS_IN_USE',
    value: ip,
    what: `${ip} is used by the workload endpoint ${users.join(' and ')}: another workload could get the same address`,
    remedy: 'delete the workload, or, if it is gone for good, repeat with --force',
  };
}

function notAssigned(ip: string): Problem {
  return {
    code: 'ADDRESS_NOT_ASSIGNED',
    value: ip,
    what: `IP address ${ip} is not assigned`,
    remedy: 'see with poplin ipam explain whose it is, or in which block and pool it lies',
  };
}

function otherCluster(file: string): Problem {
  return {
    code: 'REPORT_FOREIGN',
    at: { file },
    what: 'is a report about another cluster',
    remedy: 'name the right datastore with --datastore, or check this one anew',
  };
}

function notLocked(): Problem {
  return {
    code: 'STORE_NOT_LOCKED',
    what: 'the datastore is not locked: an address may just be on its way to a workload',
    remedy:
      'poplin datastore migrate lock, then check, release and unlock; or repeat with --force, which releases only what is held exactly as reported and used by no endpoint',
  };
}

function outdated(file: string): Problem {
  return {
    code: 'REPORT_OUTDATED',
    at: { file },
    what: 'was made before the datastore was locked as it is now',
    remedy: 'check again: poplin ipam check -o FILE',
  };
}
