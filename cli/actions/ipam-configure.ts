/** ipam configure: the settings that hold for all nodes. */
import { type IPAMConfiguration, unwrap } from '../../api/index.ts';
import { type IpamSettings, LONGEST_COOLDOWN, type SettingsChange } from '../../ipam/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { ipamOf, withStore } from '../store.ts';
import type { ipamConfigureTable } from '../tables/ipam.ts';

export const ipamConfigure: Action<Arguments<typeof ipamConfigureTable>> = async (args, terminal) => {
  const { strictaffinity, 'max-blocks-per-host': limit, 'ip-cooldown-seconds': cooldown } = args;
  if (strictaffinity === undefined && limit === undefined && cooldown === undefined)
    throw new UsageError(
      'give --strictaffinity=true or false, --max-blocks-per-host=NUMBER, or --ip-cooldown-seconds=SECONDS',
    );
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
    throw new UsageError('--max-blocks-per-host needs a whole number, 0 for no limit of its own');
  if (
    cooldown !== undefined &&
    !(Number.isInteger(cooldown) && cooldown >= 0 && cooldown <= LONGEST_COOLDOWN)
  )
    throw new UsageError(`--ip-cooldown-seconds needs a whole number from 0 to ${LONGEST_COOLDOWN}`);
  const change: SettingsChange = {
    ...(strictaffinity === undefined ? {} : { strictAffinity: strictaffinity === 'true' }),
    ...(limit === undefined ? {} : { maxBlocksPerHost: limit }),
    ...(cooldown === undefined ? {} : { ipCooldownSeconds: cooldown }),
  };
  await withStore(args, terminal, async (open) => {
    const settings = unwrap(await ipamOf(open).configure(change));
    const { ipCooldownSeconds: rest } = settings;
    terminal.out(
      `Successfully configured IPAM: strict affinity ${settings.strictAffinity}, at most ${settings.maxBlocksPerHost} blocks per host and IP version, ${rest === 0 ? 'released addresses are free at once' : `released addresses rest for ${rest} s`}\n`,
    );
    // Users who keep their settings in manifests should hear that these do not act any more.
    const resource = await open.client.get('IPAMConfiguration', 'default');
    // In Kubernetes the two are one object.
    if (resource.ok && !says(resource.value, settings)) {
      terminal.err(
        'warning: IPAMConfiguration/default exists, too, and is not followed while these settings are there\n',
      );
    }
  });
  return EXIT.ok;
};

function says({ spec }: IPAMConfiguration, settings: IpamSettings): boolean {
  return (
    spec.strictAffinity === settings.strictAffinity &&
    (spec.ipCooldownSeconds ?? 0) === settings.ipCooldownSeconds
  );
}
