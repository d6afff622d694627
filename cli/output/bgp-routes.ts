/** The screen of `bgp routes`. */
import { NO_RULE } from '../../bgpd/filter/compile.ts';
import type { RouteLine } from '../../bgpd/speaker/route-lines.ts';
import type { ChangeView, ExportView, ImportView, PathView } from '../../bgpd/speaker/route-view.ts';

const TABLE = ['', 'PREFIX', 'NEXT HOP', 'NEIGHBOR', 'PREF', 'MED', 'AS PATH', 'ORIGIN', 'WHY'];

export const HEADINGS: Readonly<Record<RouteLine['view'], readonly string[]>> = {
  all: TABLE,
  best: TABLE,
  in: ['', 'PREFIX', 'NEXT HOP', 'NEIGHBOR', 'PREF', 'MED', 'AS PATH', 'ORIGIN', 'BY IMPORT'],
  out: ['', 'PREFIX', 'NEXT HOP', 'NEIGHBOR', 'PREF', 'MED', 'AS PATH', 'ORIGIN', 'BY EXPORT'],
};

/** Rows, and where explanations were asked for, lines of text below them. */
export function drawRoute(line: RouteLine, explain: boolean): readonly (readonly string[] | string)[] {
  switch (line.view) {
    case 'all':
    case 'best':
      return [
        ...line.paths.flatMap((path, i) => [
          pathRow(i === 0 ? line.prefix : '', path),
          ...(explain ? drawImport(path.import) : []),
        ]),
        ...(explain && line.installed !== undefined
          ? [
              `     kernel: ${line.installed.state}${line.installed.reason === undefined ? '' : `, ${line.installed.reason}`}`,
            ]
          : []),
        ...(line.exports ?? []).map(drawExport),
      ];
    case 'in':
      return [
        attributesRow(
          `${line.accepted ? ' ' : 'x'}${line.stale ? 's' : ' '}`,
          named(line.prefix, line.pathId),
          line.nextHop,
          line.peer,
          line.attributes,
          line.reason ?? 'accepted',
        ),
        ...(explain ? drawImport(line.import) : []),
      ];
    case 'out':
      return [
        attributesRow(
          line.told ? ' ' : 'x',
          line.prefix,
          line.nextHop,
          line.peer,
          line.attributes,
          waiting(line),
        ),
        ...(explain
          ? line.changedBy
              .filter((rule) => rule !== line.reason)
              .map((rule) => `     export: changed by ${rule}`)
          : []),
      ];
  }
}

function pathRow(prefix: string, path: PathView): readonly string[] {
  const refused = !path.best && path.reason !== 'equal (multipath)' && !path.reason.startsWith('lost');
  const mark = path.best ? '>' : path.reason === 'equal (multipath)' ? '=' : refused ? 'x' : ' ';
  return [
    `${mark}${path.stale ? 's' : ' '}`,
    named(prefix, path.pathId),
    path.nextHop ?? 'self',
    path.peer,
    String(path.localPref),
    path.med === undefined ? '' : String(path.med),
    path.asPath,
    path.origin,
    why(path),
  ];
}

function why({ reason, step, source }: PathView): string {
  if (source === undefined) return reason;
  return reason.startsWith('lost') ? `${reason} (${source})` : `${reason}, behind by ${step} (${source})`;
}

function attributesRow(
  mark: string,
  prefix: string,
  nextHop: string | undefined,
  peer: string,
  attributes: ExportView['attributes'],
  reason: string,
): readonly string[] {
  return [
    mark,
    prefix,
    nextHop ?? '',
    peer,
    attributes?.localPref === undefined ? '' : String(attributes.localPref),
    attributes?.med === undefined ? '' : String(attributes.med),
    attributes?.asPath ?? '',
    attributes?.origin ?? '',
    reason,
  ];
}

function named(prefix: string, pathId: number | undefined): string {
  return pathId === undefined ? prefix : `${prefix} id ${pathId}`;
}

function drawImport(view: ImportView | undefined): readonly string[] {
  if (view === undefined) return [];
  const verdict = view.accepted ? 'accepted' : 'refused';
  return [
    `     import: ${verdict}${view.rule === NO_RULE ? ',' : ' by'} ${view.rule}`,
    ...view.changedBy.filter((rule) => rule !== view.rule).map((rule) => `     import: changed by ${rule}`),
    ...view.changes.map(drawChange),
  ];
}

function drawChange({ field, before, after }: ChangeView): string {
  return `       ${field}: ${value(before)} -> ${value(after)}`;
}

function value(of: unknown): string {
  if (of === undefined) return 'none';
  return typeof of === 'string' ? of : JSON.stringify(of);
}

function waiting({ reason, pending }: ExportView): string {
  return pending === true ? `${reason}, not sent yet` : reason;
}

function drawExport(view: ExportView): string {
  const { peer, told, reason, changedBy } = view;
  const others = changedBy.filter((rule) => rule !== reason);
  const changed = others.length === 0 ? '' : `, changed by ${others.join(', ')}`;
  return told
    ? `     told to ${peer}: ${waiting(view)}${changed}`
    : `     not told to ${peer}: ${waiting(view)}`;
}
