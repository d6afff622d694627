/** ipam release: one address, or all that a report of ipam check found leaked. Never one that an endpoint uses. */
import { readFileSync } from 'node:fs';
import { fail, PoplinError, type Problem, unwrap } from '../../api/index.ts';
import { Address } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, type ExitCode, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { usersByAddress } from '../resources/ipam-findings.ts';
import { clusterOf, parseReport, type Report } from '../resources/ipam-report.ts';
import { ipamOf, type OpenStore, withStore } from '../store.ts';
import type { ipamReleaseTable } from '../tables/ipam.ts';
import type { Terminal } from '../terminal.ts';

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
  const freed = unwrap(await ipamOf(open).release([address]));
  terminal.out(freed.length > 0 ? `Successfully released IP address ${ip}\n` : `${ip} is not assigned\n`);
  return EXIT.ok;
}

async function releaseLeaked(
  open: OpenStore,
  reports: readonly (Report & { readonly file: string })[],
  force: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const information = await open.client.get('ClusterInformation', 'default');
  const now = clusterOf(information.ok ? information.value : undefined);
  const stale = reports.flatMap(({ file, cluster }): Problem[] => {
    // Another cluster's addresses are never ours to release.
    if (cluster.guid !== now.guid) return [otherCluster(file)];
    if (force) return [];
    if (!now.locked) return [notLocked()];
    return cluster.locked && cluster.revision === now.revision ? [] : [outdated(file)];
  });
  if (stale.length > 0) unwrap(fail(...stale));

  const users = await usersNow(open);
  const ipam = ipamOf(open);
  let freed = 0;
  let passed = 0;
  const problems: Problem[] = [];
  for (const request of reports.flatMap(({ leaked }) => leaked)) {
    if (users.has(request.address.toString())) {
      passed++;
      continue;
    }
    const result = await ipam.release([request]);
    if (!result.ok) problems.push(...result.problems);
    else if (result.value.length === 0) passed++;
    else freed++;
  }
  tellProblems(problems, terminal);
  terminal.out(
    `Released ${freed} IP addresses; ${passed + problems.length} are in use or free by now and were left alone\n`,
  );
  return EXIT.ok;
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
