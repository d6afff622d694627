/** datastore migrate export, import, copy. What is said of the work goes to standard error: an export may be on the other. */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { PoplinError, unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { checkStrays } from '../../datastore/check.ts';
import {
  copyStore,
  type Dumped,
  dumpLines,
  exportStore,
  identified,
  isCalicoFile,
  isLocked,
  parseCalicoFile,
  parseDump,
  restore,
  type Restored,
  toCalicoFile,
} from '../../datastore/migrate/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { columns } from '../output/table.ts';
import { withStore } from '../store.ts';
import type {
  datastoreMigrateCopyTable,
  datastoreMigrateExportTable,
  datastoreMigrateImportTable,
} from '../tables/datastore.ts';
import type { Terminal } from '../terminal.ts';

export const migrateExport: Action<Arguments<typeof datastoreMigrateExportTable>> = async (
  args,
  terminal,
) => {
  const { objects, locked, strange } = await withStore(args, terminal, async ({ store }) => ({
    strange: checkStrays((await store.strays?.()) ?? []),
    locked: await isLocked(store),
    objects: unwrap(await exportStore(store)),
  }));
  for (const { what } of strange)
    terminal.err(`warning: ${what}\n  to see all of them: poplin datastore check\n`);
  const { lines, exported, left } = written(objects, args.format);
  if (args.filename === '-') await print(lines, terminal);
  else writeWhole(args.filename, lines);
  if (!locked) {
    terminal.err(
      'warning: the datastore is not locked: what nodes write from now on is not in the export\n' +
        '  to mend it: poplin datastore migrate lock, and export again\n',
    );
  }
  for (const [kind, count] of left)
    terminal.err(`Left behind ${count} ${kind}: this format has no place for them.\n`);
  terminal.err(`Exported ${exported} objects.\n`);
  return EXIT.ok;
};

function written(objects: readonly Dumped[], format: string) {
  if (format !== 'calico')
    return { lines: dumpLines(objects), exported: objects.length, left: new Map<string, number>() };
  const { text, exported, left } = unwrap(toCalicoFile(objects));
  return { lines: [text], exported, left };
}

export const migrateImport: Action<Arguments<typeof datastoreMigrateImportTable>> = async (
  args,
  terminal,
) => {
  const fromStdin = args.filename === '-';
  const text = fromStdin ? await terminal.stdin() : read(args.filename);
  // All of it, before a datastore is made that would then stay empty.
  const objects = readable(text, fromStdin ? 'standard input' : args.filename);
  const restored = await withStore(
    args,
    terminal,
    async ({ store }) =>
      unwrap(await restore(store, new SystemClock(), objects, { overwrite: args.overwrite })),
    { create: true },
  );
  terminal.out(tell(restored));
  return EXIT.ok;
};

export const migrateCopy: Action<Arguments<typeof datastoreMigrateCopyTable>> = async (args, terminal) => {
  const { from, to, overwrite } = args;
  if (from === undefined || to === undefined)
    throw new UsageError('name both datastores: --from LOCATION --to LOCATION');
  if (from === to) throw new UsageError('--from and --to name the same datastore');
  const restored = await withStore({ datastore: from }, terminal, (source) =>
    withStore(
      { datastore: to },
      terminal,
      async (target) => unwrap(await copyStore(source.store, target.store, new SystemClock(), { overwrite })),
      { create: true },
    ),
  );
  terminal.out(tell(restored));
  return EXIT.ok;
};

/** Either format; calicoctl's is told by its parts. */
function readable(text: string, file: string): Dumped[] {
  if (!isCalicoFile(text)) return unwrap(parseDump(text, file));
  const now = new SystemClock().wall();
  return unwrap(parseCalicoFile(text, file)).map((object) => identified(object, now, randomUUID));
}

async function print(lines: Iterable<string>, terminal: Terminal): Promise<void> {
  for (const line of lines) {
    terminal.out(line);
    if (!(await terminal.flushed())) return;
  }
}

/** Under its name only once all of it is on the disk. Not for others to read: resources may hold passwords. */
function writeWhole(path: string, lines: Iterable<string>): void {
  const temporary = `${path}.${process.pid}.part`;
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      for (const line of lines) writeFileSync(file, line);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw unusable(path, 'written', error);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unusable(path, 'read', error);
  }
}

function unusable(path: string, how: 'read' | 'written', error: unknown): PoplinError {
  return new PoplinError([
    {
      code: how === 'read' ? 'FILE_UNREADABLE' : 'FILE_UNWRITABLE',
      value: path,
      what: `${path} cannot be ${how}: ${error instanceof Error ? error.message : String(error)}`,
      remedy: 'check the path given with -f, its permissions and the space on its disk',
    },
  ]);
}

function tell({ kinds, others }: Restored): string {
  const total = kinds.reduce((sum, { objects }) => sum + objects, 0);
  return [
    columns(
      ['KIND', 'OBJECTS', 'WRITTEN'],
      kinds.map(({ kind, objects, written }) => [kind, String(objects), String(written)]),
    ),
    `Verified: all ${total} objects are in the datastore as they were exported.\n`,
    others === 0 ? '' : `${others} other objects were there before, and stay.\n`,
    'The datastore is locked. When the nodes use it: poplin datastore migrate unlock\n',
  ].join('');
}
