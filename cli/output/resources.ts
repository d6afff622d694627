/** Resources as `get` prints them: tables, YAML, JSON, names. */
import { stringify } from 'yaml';
import {
  asWritten,
  kindInfo,
  type KindInfo,
  knownPart,
  type Resource,
  resourceText,
} from '../../api/index.ts';
import { UsageError } from '../command.ts';
import { type AnyResource, type ColumnContext, layoutOf } from '../resources/columns.ts';
import { columns } from './table.ts';

export interface Listing {
  readonly info: KindInfo;
  readonly resources: readonly Resource[];
  /** True when the resources were asked for by name: then they are printed without a list around them. */
  readonly named: boolean;
  /** A column for the namespace is wanted. */
  readonly showNamespace: boolean;
}

export type Format =
  | { readonly type: 'table'; readonly wide: boolean }
  | { readonly type: 'columns'; readonly headings: readonly string[] }
  | { readonly type: 'yaml' | 'json' | 'name' };

export function parseFormat(text: string): Format {
  const [name = '', ...rest] = text.split('=');
  const value = rest.join('=');
  switch (name) {
    case 'ps':
      return { type: 'table', wide: false };
    case 'wide':
      return { type: 'table', wide: true };
    case 'yaml':
    case 'yml':
      return { type: 'yaml' };
    case 'json':
    case 'name':
      return { type: name };
    case 'custom-columns':
      if (value === '') throw new UsageError('custom-columns needs headings: -o custom-columns=NAME,CIDR');
      return { type: 'columns', headings: value.split(',').map((heading) => heading.trim().toUpperCase()) };
    default:
      throw new UsageError(
        `-o ${text} is no output format; use ps, wide, yaml, json, name or custom-columns=HEADING,...`,
      );
  }
}

export function printListings(listings: readonly Listing[], format: Format, context: ColumnContext): string {
  switch (format.type) {
    case 'table':
    case 'columns':
      return listings.map((listing) => `${tableOf(listing, format, context)}\n`).join('');
    case 'name':
      return listings
        .flatMap(({ info, resources }) => resources.map((one) => `${typeName(info)}/${one.metadata.name}\n`))
        .join('');
    case 'json':
      return `${JSON.stringify(documentOf(listings), undefined, 2)}\n`;
    case 'yaml':
      return stringify(documentOf(listings), { lineWidth: 0, aliasDuplicateObjects: false });
  }
}

/** `ippool.projectcalico.org`, as kubectl names types; those of Kubernetes' core group have no group to name. */
function typeName({ written }: KindInfo): string {
  const singular = written.kind.toLowerCase();
  return written.apiVersion.includes('/') ? `${singular}.${written.apiVersion.split('/')[0]}` : singular;
}

function tableOf(
  { info, resources, showNamespace }: Listing,
  format: Extract<Format, { type: 'table' | 'columns' }>,
  context: ColumnContext,
): string {
  const layout = layoutOf(info.kind);
  const own = format.type === 'columns' ? format.headings : format.wide ? layout.wide : layout.narrow;
  const unknown = own.find((heading) => !Object.hasOwn(layout.columns, heading));
  if (unknown !== undefined) {
    throw new UsageError(
      `${info.kind} has no column ${unknown}; it has ${Object.keys(layout.columns).join(', ')}`,
    );
  }
  const headings =
    info.namespaced && showNamespace && !own.includes('NAMESPACE') ? ['NAMESPACE', ...own] : own;
  const rows = resources.map((resource) =>
    headings.map((heading) => layout.columns[heading]?.(resource as AnyResource, context) ?? ''),
  );
  return columns(headings, rows);
}

/** One resource stands alone; several that were named stand in a plain list; a whole kind in its `List`, as calicoctl has it. */
function documentOf(listings: readonly Listing[]): unknown {
  const documents = listings.flatMap((listing): unknown[] => {
    const shown = listing.resources.map((one) => asWritten(withoutInternals(knownPart(one).resource)));
    if (listing.named) return shown;
    const { apiVersion, kind } = listing.info.written;
    return [{ apiVersion, kind: `${kind}List`, metadata: {}, items: shown }];
  });
  return documents.length === 1 ? documents[0] : documents;
}

/** What a newer release wrote and YAML and JSON leave out: it could not be applied again. One sentence a resource. */
export function hiddenFields(listings: readonly Listing[], format: Format): string[] {
  if (format.type !== 'yaml' && format.type !== 'json') return [];
  return listings.flatMap(({ resources }) =>
    resources.flatMap((resource) => {
      const { rest } = knownPart(resource);
      return rest.length === 0
        ? []
        : [
            `${resourceText(resource)} has fields that this release does not know; they are kept: ${rest.join(', ')}`,
          ];
    }),
  );
}

/** Where older Calico keeps an object's own name; never for people to see. */
const INTERNAL_ANNOTATION = 'projectcalico.org/metadata';

function withoutInternals(resource: Resource): Resource {
  const { annotations } = resource.metadata;
  if (annotations?.[INTERNAL_ANNOTATION] === undefined) return resource;
  const { [INTERNAL_ANNOTATION]: _, ...shown } = annotations;
  const { annotations: __, ...metadata } = resource.metadata;
  return {
    ...resource,
    metadata: Object.keys(shown).length === 0 ? metadata : { ...metadata, annotations: shown },
  };
}

/** What another datastore would not want to be given. */
export function exported(resource: Resource): Resource {
  const {
    uid: _,
    resourceVersion: __,
    creationTimestamp: ___,
    generation: ____,
    namespace,
    ...metadata
  } = resource.metadata;
  const keepsNamespace = kindInfo(resource.kind)?.namespaced === true && namespace !== undefined;
  return { ...resource, metadata: keepsNamespace ? { ...metadata, namespace } : metadata };
}
