import { type Action, type Arguments, EXIT } from '../command.ts';
import { tellFailure } from '../failure.ts';
import { release } from '../release.ts';
import { withStore } from '../store.ts';
import type { versionTable } from '../tables/other.ts';

export const version: Action<Arguments<typeof versionTable>> = async (args, terminal) => {
  terminal.out(`Client Version:    v${release()}\n`);
  if (args.client) return EXIT.ok;
  try {
    const found = await withStore(args, terminal, ({ client }) =>
      client.get('ClusterInformation', 'default'),
    );
    const spec = found.ok ? found.value.spec : {};
    terminal.out(
      `Cluster Version:   ${spec.calicoVersion ?? 'unknown'}\nCluster Type:      ${spec.clusterType ?? 'unknown'}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    return tellFailure(error, terminal);
  }
};
