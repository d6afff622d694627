/** ipam configure: the settings that hold for all nodes. */
import { unwrap } from '../../api/index.ts';
import type { SettingsChange } from '../../ipam/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { ipamOf, withStore } from '../store.ts';
import type { ipamConfigureTable } from '../tables/ipam.ts';

export const ipamConfigure: Action<Arguments<typeof ipamConfigureTable>> = async (args, terminal) => {
  const { strictaffinity, 'max-blocks-per-host': limit } = args;
  if (strictaffinity === undefined && limit === undefined)
    throw new UsageError('give --strictaffinity=true or false, or --max-blocks-per-host=NUMBER');
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
    throw new UsageError('--max-blocks-per-host needs a whole number, 0 for no limit of its own');
  const change: SettingsChange = {
    ...(strictaffinity === undefined ? {} : { strictAffinity: strictaffinity === 'true' }),
    ...(limit === undefined ? {} : { maxBlocksPerHost: limit }),
  };
  await withStore(args, terminal, async (open) => {
    const settings = unwrap(await ipamOf(open).configure(change));
    terminal.out(
      `Successfully configured IPAM: strict affinity ${settings.strictAffinity}, at most ${settings.maxBlocksPerHost} blocks per host and IP version\n`,
    );
    // Users who keep their settings in manifests should hear that these do not act any more.
    const resource = await open.client.get('IPAMConfiguration', 'default');
    // In Kubernetes the two are one object.
    if (resource.ok && resource.value.spec.strictAffinity !== settings.strictAffinity) {
      terminal.err(
        'warning: IPAMConfiguration/default exists, too, and is not followed while these settings are there\n',
      );
    }
  });
  return EXIT.ok;
};
