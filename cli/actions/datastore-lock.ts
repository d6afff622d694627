/** datastore migrate lock, unlock. */
import { SystemClock } from '../../clock/system.ts';
import { setReady } from '../../datastore/migrate/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { withStore } from '../store.ts';
import type { datastoreMigrateLockTable, datastoreMigrateUnlockTable } from '../tables/datastore.ts';

export const migrateLock: Action<Arguments<typeof datastoreMigrateLockTable>> = async (args, terminal) => {
  const changed = await withStore(args, terminal, ({ store }) => setReady(store, new SystemClock(), false));
  terminal.out(changed ? 'Datastore locked.\n' : 'The datastore was locked already.\n');
  return EXIT.ok;
};

export const migrateUnlock: Action<Arguments<typeof datastoreMigrateUnlockTable>> = async (
  args,
  terminal,
) => {
  const changed = await withStore(args, terminal, ({ store }) => setReady(store, new SystemClock(), true));
  terminal.out(changed ? 'Datastore unlocked.\n' : 'The datastore was not locked.\n');
  return EXIT.ok;
};
