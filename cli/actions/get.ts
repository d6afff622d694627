import { type KindInfo, kindInfo, type Problem, type Resource, unwrap } from '../../api/index.ts';
import type { ResourceClient } from '../../datastore/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { exported, hiddenFields, type Listing, parseFormat, printListings } from '../output/resources.ts';
import { loadManifests } from '../resources/manifests.ts';
import { namespaceFor, selectKinds } from '../resources/select.ts';
import { withStore } from '../store.ts';
import type { getTable } from '../tables/resources.ts';
import type { Terminal } from '../terminal.ts';

type GetArguments = Arguments<typeof getTable>;

interface Wanted {
  readonly info: KindInfo;
  readonly namespace: string | undefined;
  /** Empty: all of the kind. */
  readonly names: readonly string[];
}

export const get: Action<GetArguments> = async (args, terminal) => {
  const format = parseFormat(args.output);
  const wanted = args.filename.length > 0 ? await fromFiles(args, terminal) : fromWords(args);
  if (wanted === undefined) return EXIT.failure;
  const problems: Problem[] = [];
  await withStore(args, terminal, async ({ client }) => {
    const listings: Listing[] = [];
    for (const one of wanted) listings.push(await listingOf(client, one, args, problems));
    const found = listings.filter(({ resources, named }) => resources.length > 0 || !named);
    terminal.out(printListings(found, format, { defaultAsNumber: await defaultAsNumber(client) }));
    for (const note of hiddenFields(found, format)) terminal.err(`note: ${note}\n`);
  });
  tellProblems(problems, terminal);
  return problems.length === 0 ? EXIT.ok : EXIT.failure;
};

function fromWords(args: GetArguments): Wanted[] {
  if (args.kind === undefined)
    throw new UsageError('name a kind of resource, or a file with -f: poplin get nodes');
  const kinds = selectKinds(args.kind);
  if (kinds.length > 1 && args.names.length > 0)
    throw new UsageError('names go with one kind, not with several');
  if (args.names.length > 0 && args['all-namespaces'] && kinds[0]?.namespaced === true) {
    throw new UsageError(
      'a name is looked for in one namespace: give --namespace instead of --all-namespaces',
    );
  }
  return kinds.map((info) => ({ info, namespace: namespaceFor(info, args), names: args.names }));
}

async function fromFiles(args: GetArguments, terminal: Terminal): Promise<Wanted[] | undefined> {
  if (args.kind !== undefined) throw new UsageError('name either a kind or files, not both');
  const loaded = await loadManifests(args, terminal);
  if (!loaded.ok) {
    tellProblems(loaded.problems, terminal);
    return undefined;
  }
  return loaded.value.flatMap(({ resource: { kind, metadata } }) => {
    const info = kindInfo(kind);
    return info === undefined ? [] : [{ info, namespace: metadata.namespace, names: [metadata.name] }];
  });
}

async function listingOf(
  client: ResourceClient,
  { info, namespace, names }: Wanted,
  args: GetArguments,
  problems: Problem[],
): Promise<Listing> {
  const named = names.length > 0;
  const resources: Resource[] = [];
  if (named) {
    for (const name of names) {
      const found = await client.get(info.kind, name, namespace);
      if (found.ok) resources.push(args.export ? exported(found.value) : found.value);
      else problems.push(...found.problems);
    }
  } else {
    resources.push(...unwrap(await client.list(info.kind, namespace)));
    if (info.kind === 'Tier') resources.sort(byOrder);
  }
  return { info, resources, named, showNamespace: args['all-namespaces'] || args.namespace !== undefined };
}

/** Tiers in the order in which packets meet them. */
function byOrder(a: Resource, b: Resource): number {
  return orderOf(a) === orderOf(b) ? 0 : orderOf(a) - orderOf(b);
}

function orderOf(resource: Resource): number {
  return resource.kind === 'Tier' ? (resource.spec.order ?? Infinity) : Infinity;
}

const CALICO_AS_NUMBER = '64512';

async function defaultAsNumber(client: ResourceClient): Promise<string> {
  const found = await client.get('BGPConfiguration', 'default');
  return String((found.ok ? found.value.spec.asNumber : undefined) ?? CALICO_AS_NUMBER);
}
