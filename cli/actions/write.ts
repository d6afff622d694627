/** apply, create, replace: all documents in one transaction. */
import { kindInfo, type ManifestDocument, notActedOn, type Problem, resourceText } from '../../api/index.ts';
import type { ResourceChange, ResourceChanged, ResourceClient } from '../../datastore/index.ts';
import { type Action, type Arguments, EXIT, type ExitCode } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { structured } from '../output/structured.ts';
import { loadManifests } from '../resources/manifests.ts';
import { countResources, notWritable } from '../resources/outcome.ts';
import { type OpenStore, withStore } from '../store.ts';
import { previewChanges } from './preview.ts';
import type { applyTable, createTable, replaceTable } from '../tables/resources.ts';
import type { Terminal } from '../terminal.ts';

export const apply: Action<Arguments<typeof applyTable>> = (args, terminal) =>
  write(args, terminal, { type: 'apply', done: 'applied', skipExisting: false, preview: args.preview });

export const create: Action<Arguments<typeof createTable>> = (args, terminal) =>
  write(args, terminal, { type: 'create', done: 'created', skipExisting: args['skip-exists'] });

export const replace: Action<Arguments<typeof replaceTable>> = (args, terminal) =>
  write(args, terminal, { type: 'update', done: 'replaced', skipExisting: false });

interface Manner {
  readonly type: 'apply' | 'create' | 'update';
  readonly done: string;
  readonly skipExisting: boolean;
  /** Only say what it would open and close. */
  readonly preview?: boolean;
}

async function write(
  args: Omit<Arguments<typeof applyTable>, 'preview'>,
  terminal: Terminal,
  manner: Manner,
): Promise<ExitCode> {
  const loaded = await loadManifests(args, terminal);
  const problems = loaded.ok ? notWritable(loaded.value) : loaded.problems;
  if (!loaded.ok || problems.length > 0) return refused(problems, terminal, true);
  const write = async (open: OpenStore): Promise<ExitCode> => {
    const documents = manner.skipExisting ? await withoutExisting(open.client, loaded.value) : loaded.value;
    return change(open, documents, loaded.value, manner, terminal, args.output);
  };
  return withStore(args, terminal, write, { create: manner.type !== 'update' && manner.preview !== true });
}

async function change(
  open: OpenStore,
  documents: readonly ManifestDocument[],
  given: readonly ManifestDocument[],
  { type, done, preview = false }: Manner,
  terminal: Terminal,
  format: string,
): Promise<ExitCode> {
  const changes = documents.map(
    (document): ResourceChange => ({
      type,
      resource: document.resource,
      at: (field) => document.at(field),
    }),
  );
  if (preview) return previewChanges(open, changes, terminal, format);
  const { client, store } = open;
  const result = await client.change(changes);
  if (!result.ok) return refused(result.problems, terminal, store.transactional);
  const skipped = given.length - documents.length;
  const summary = summaryOf(result.value, skipped);
  terminal.out(
    structured(result.value.map(forPrograms), format) ??
      `Successfully ${done} ${countResources(given.map(({ resource }) => resource.kind))}${summary}\n`,
  );
  for (const { resource } of result.value) {
    const fields = notActedOn(resource);
    if (fields.length > 0)
      terminal.err(`warning: ${resourceText(resource)}: stored, not acted on: ${fields.join(', ')}\n`);
  }
  return EXIT.ok;
}

/** What became of one resource. */
function forPrograms({ resource, outcome }: ResourceChanged): object {
  const { apiVersion, kind } = kindInfo(resource.kind)?.written ?? resource;
  const { name, namespace } = resource.metadata;
  return {
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    outcome,
    notActedOn: notActedOn(resource),
  };
}

/** Nothing is half applied without saying so: on a transactional store nothing was; elsewhere a problem says how much. */
function refused(problems: readonly Problem[], terminal: Terminal, nothingWritten: boolean): ExitCode {
  tellProblems(problems, terminal);
  if (nothingWritten || !problems.some(({ code }) => code === 'PARTLY_WRITTEN'))
    terminal.err('Nothing was changed.\n');
  return EXIT.failure;
}

async function withoutExisting(
  client: ResourceClient,
  documents: readonly ManifestDocument[],
): Promise<ManifestDocument[]> {
  const kept: ManifestDocument[] = [];
  for (const document of documents) {
    const { kind, metadata } = document.resource;
    if (!(await client.get(kind, metadata.name, metadata.namespace)).ok) kept.push(document);
  }
  return kept;
}

/** `: 10 created, 2 unchanged`; nothing when all went the same, expected way. */
function summaryOf(changed: readonly ResourceChanged[], skipped: number): string {
  const parts = (['created', 'updated', 'unchanged'] as const).flatMap((outcome) => {
    const count = changed.filter((one) => one.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  if (skipped > 0) parts.push(`${skipped} left as they are`);
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}
