/** ipam check: addresses taken against addresses used. Changes nothing. */
import { writeFileSync } from 'node:fs';
import { PoplinError, unwrap } from '../../api/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { structured } from '../output/structured.ts';
import { type Finding, findingsOf, type IpamWorld, usersByAddress } from '../resources/ipam-findings.ts';
import { clusterOf, reportText } from '../resources/ipam-report.ts';
import { release } from '../release.ts';
import { ipamOf, type OpenStore, withStore } from '../store.ts';
import type { ipamCheckTable } from '../tables/ipam.ts';

const FORMATS: readonly string[] = ['table', 'json', 'yaml'];

export const ipamCheck: Action<Arguments<typeof ipamCheckTable>> = async (args, terminal) => {
  const { world, cluster } = await withStore(args, terminal, async (open) => {
    const information = await open.client.get('ClusterInformation', 'default');
    return { cluster: clusterOf(information.ok ? information.value : undefined), world: await worldOf(open) };
  });
  const findings = findingsOf(world);
  const toFile = !FORMATS.includes(args.output);
  const text = toFile ? undefined : structured(findings, args.output);
  if (text === undefined && args['show-all-ips']) terminal.out(tellAll(world));
  terminal.out(text ?? tell(findings));
  if (toFile) {
    writeReport(args.output, reportText(world, cluster, release()));
    terminal.out(`Report written to ${args.output}.\n`);
  }
  return findings.length === 0 ? EXIT.ok : EXIT.failure;
};

/**
 * Endpoints last: an address that is given while this reads then shows at worst as used and not taken, which nobody
 * acts upon, never as leaked.
 */
export async function worldOf(open: OpenStore): Promise<IpamWorld> {
  const ipam = ipamOf(open);
  return {
    pools: unwrap(await open.client.list('IPPool')),
    handles: await ipam.handles(),
    blocks: await ipam.blocks(),
    endpoints: unwrap(await open.client.list('WorkloadEndpoint')),
  };
}

function tell(findings: readonly Finding[]): string {
  if (findings.length === 0)
    return 'Every address that is taken is used, and every address that is used is taken.\n';
  const lines = findings.map(({ what, why }) => `${what}: ${why}\n`);
  return `${lines.join('')}${findings.length} finding(s). Nothing was changed.\n`;
}

function tellAll({ blocks, endpoints }: IpamWorld): string {
  const users = usersByAddress(endpoints);
  return blocks
    .flatMap(({ allocations }) => allocations)
    .map(({ address, handle }) => {
      const owners = users.get(address.toString())?.join(' and ') ?? 'no workload endpoint';
      return `${address.toString()} is held by ${handle ?? 'no handle'}, used by ${owners}\n`;
    })
    .join('');
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new PoplinError([
      {
        code: 'FILE_UNWRITABLE',
        value: path,
        what: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
        remedy: 'name another file with -o, or one of the forms table, json and yaml',
      },
    ]);
  }
}
