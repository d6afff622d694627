/** ipam check: addresses taken against addresses used, and IPAM's objects against each other. Changes nothing. */
import { writeFileSync } from 'node:fs';
import { PoplinError, unwrap } from '../../api/index.ts';
import { readIpam, readUsers } from '../../ipam/gc/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { checkText } from '../output/ipam-check.ts';
import { structured } from '../output/structured.ts';
import { release } from '../release.ts';
import { clusterOf, reportText } from '../resources/ipam-report.ts';
import { type CheckedIpam, checkIpam } from '../resources/ipam-world.ts';
import { cooldownOf, type OpenStore, withStore } from '../store.ts';
import type { ipamCheckTable } from '../tables/ipam.ts';

const FORMATS: readonly string[] = ['table', 'json', 'yaml'];

export const ipamCheck: Action<Arguments<typeof ipamCheckTable>> = async (args, terminal) => {
  const { checked, cluster } = await withStore(args, terminal, async (open) => {
    const information = await open.client.get('ClusterInformation', 'default');
    return {
      cluster: clusterOf(information.ok ? information.value : undefined),
      checked: await readChecked(open),
    };
  });
  const { findings } = checked;
  const toFile = !FORMATS.includes(args.output);
  const all = args['show-all-ips'];
  const detail = { all, problems: all || args['show-problem-ips'] };
  terminal.out((toFile ? undefined : structured(findings, args.output)) ?? checkText(checked, detail));
  if (toFile) {
    writeReport(args.output, reportText(checked, cluster, release()));
    terminal.out(`Report written to ${args.output}.\n`);
  }
  return args['exit-code'] && findings.length > 0 ? EXIT.failure : EXIT.ok;
};

/**
 * Users last: an address that is given while this reads then shows at worst as used and not taken, which nobody acts
 * upon, never as leaked.
 */
async function readChecked(open: OpenStore): Promise<CheckedIpam> {
  const { store, client } = open;
  const pools = unwrap(await client.list('IPPool'));
  const entries = await readIpam(store);
  return checkIpam(entries, pools, await readUsers(store), await cooldownOf(open));
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
