/** delete: all of it in one transaction. */
import { type KindInfo, type Problem, type Resource } from '../../api/index.ts';
import type { ResourceChange, ResourceClient } from '../../datastore/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { loadManifests } from '../resources/manifests.ts';
import { cannotBeDeleted, warningsFor } from '../resources/in-use.ts';
import { countResources } from '../resources/outcome.ts';
import { namespaceFor, selectKinds } from '../resources/select.ts';
import { withStore } from '../store.ts';
import { previewChanges } from './preview.ts';
import type { deleteTable } from '../tables/resources.ts';
import type { Terminal } from '../terminal.ts';

type DeleteArguments = Arguments<typeof deleteTable>;

interface Target {
  readonly kind: KindInfo['kind'];
  readonly name: string;
  readonly namespace: string | undefined;
}

export const remove: Action<DeleteArguments> = async (args, terminal) => {
  const targets = args.filename.length > 0 ? await fromFiles(args, terminal) : fromWords(args);
  if (targets === undefined) return EXIT.failure;
  return withStore(args, terminal, async (open) => {
    const { client } = open;
    const { existing, problems } = await look(client, targets, args['skip-not-exists']);
    problems.push(...existing.flatMap((resource) => cannotBeDeleted(resource) ?? []));
    if (problems.length > 0) return refuse(problems, terminal);
    if (args.preview) return previewChanges(open, existing.map(deletion), terminal, args.output);
    const warnings = await warningsFor(existing, open);
    const result = await client.change(existing.map(deletion));
    if (!result.ok) return refuse(result.problems, terminal);
    for (const warning of warnings) terminal.err(`warning: ${warning}\n`);
    terminal.out(`Successfully deleted ${countResources(targets.map(({ kind }) => kind))}\n`);
    return EXIT.ok;
  });
};

function refuse(problems: readonly Problem[], terminal: Terminal): number {
  tellProblems(problems, terminal);
  if (!problems.some(({ code }) => code === 'PARTLY_WRITTEN')) terminal.err('Nothing was changed.\n');
  return EXIT.failure;
}

function fromWords(args: DeleteArguments): Target[] {
  if (args.kind === undefined)
    throw new UsageError('name a kind and names, or files with -f: poplin delete policy web-in');
  const kinds = selectKinds(args.kind);
  const [info] = kinds;
  if (kinds.length > 1 || info === undefined) throw new UsageError('delete takes one kind at a time');
  if (args.names.length === 0)
    throw new UsageError(`name what to delete: poplin delete ${info.singular} NAME`);
  const namespace = namespaceFor(info, args);
  return args.names.map((name) => ({ kind: info.kind, name, namespace }));
}

async function fromFiles(args: DeleteArguments, terminal: Terminal): Promise<Target[] | undefined> {
  if (args.kind !== undefined) throw new UsageError('name either a kind or files, not both');
  const loaded = await loadManifests(args, terminal);
  if (!loaded.ok) {
    refuse(loaded.problems, terminal);
    return undefined;
  }
  return loaded.value.map(({ resource: { kind, metadata } }) => ({
    kind,
    name: metadata.name,
    namespace: metadata.namespace,
  }));
}

async function look(
  client: ResourceClient,
  targets: readonly Target[],
  skipMissing: boolean,
): Promise<{ readonly existing: Resource[]; readonly problems: Problem[] }> {
  const existing: Resource[] = [];
  const problems: Problem[] = [];
  for (const { kind, name, namespace } of targets) {
    const found = await client.get(kind, name, namespace);
    if (found.ok) existing.push(found.value);
    else if (!skipMissing) problems.push(...found.problems);
  }
  return { existing, problems };
}

function deletion({ kind, metadata: { name, namespace } }: Resource): ResourceChange {
  return { type: 'delete', kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
