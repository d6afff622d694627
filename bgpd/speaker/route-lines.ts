/**
 * Routes by the million, one value each, in prefix order: generators that work a little for each value, so that who
 * draws them decides how long a turn takes.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { Family } from '../wire/types.ts';
import type { Neighbour } from './neighbour.ts';
import {
  FAMILY_NAMES,
  RouteViewer,
  familyOfPrefix,
  type ExportView,
  type ReceivedView,
  type RouteView,
} from './route-view.ts';
import type { Speaker } from './speaker.ts';
import { longestMatch, walk, type Wanted } from './walk.ts';

export interface RouteQuery {
  /** `all`: every path of every prefix. `best`: those in use. `in`: what peers sent. `out`: what they are told. */
  readonly view: 'all' | 'best' | 'in' | 'out';
  /** Absent: both. */
  readonly family?: Family | undefined;
  readonly prefix?: Prefix | undefined;
  /** `exact`: this prefix. `longest`: the most specific one that holds it. `within`: it and all more specific ones. */
  readonly match: 'exact' | 'longest' | 'within';
  /** Only this peer's paths; for `out`, only what this peer is told. */
  readonly neighbour?: Neighbour | undefined;
  /** Rules of import and export too, and for `out` also what is held back. */
  readonly explain: boolean;
  /** Prefixes told at most. */
  readonly limit?: number | undefined;
}

export type RouteLine =
  | ({ readonly view: 'all' | 'best'; readonly exports?: readonly ExportView[] } & Omit<RouteView, 'best'>)
  | ({ readonly view: 'in'; readonly prefix: string } & ReceivedView)
  | ({ readonly view: 'out'; readonly prefix: string } & ExportView);

/** @yields undefined where only time has passed */
export function* routeLines(speaker: Speaker, query: RouteQuery): Generator<RouteLine | undefined, void> {
  const viewer = new RouteViewer(speaker, query.explain);
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  for (const prefix of prefixesOf(speaker, viewer, query)) {
    if (left <= 0) return;
    if (prefix === undefined) {
      yield undefined;
      continue;
    }
    let told = false;
    for (const line of linesOf(viewer, query, prefix)) {
      told ||= line !== undefined;
      yield line;
    }
    if (told) left--;
  }
}

function* prefixesOf(
  speaker: Speaker,
  viewer: RouteViewer,
  { view, family, prefix, match, neighbour }: RouteQuery,
): Generator<Prefix | undefined, void> {
  const wanted =
    (of: Family): Wanted =>
    (id, candidate) => {
      if (prefix !== undefined && match === 'within' && !prefix.contains(candidate)) return false;
      const { locRib } = speaker.tables[of];
      if (view === 'in' && neighbour !== undefined) return neighbour.adjRibIn[of].get(candidate).length > 0;
      // Whoever holds an id has a reason; that it was withdrawn meanwhile shows when its turn comes.
      if (view === 'all' || view === 'in') return match !== 'longest' || viewer.hasPath(of, id, candidate);
      return locRib.best(id) !== undefined;
    };
  if (prefix !== undefined && match !== 'within') {
    const of = familyOfPrefix(prefix);
    const { index } = speaker.tables[of];
    yield match === 'exact' ? prefix : longestMatch(index, prefix, wanted(of));
    return;
  }
  for (const of of FAMILY_NAMES) {
    if (family !== undefined && of !== family) continue;
    if (prefix !== undefined && familyOfPrefix(prefix) !== of) continue;
    const { index } = speaker.tables[of];
    for (const id of walk(index, wanted(of))) yield id === undefined ? undefined : index.prefix(id);
  }
}

function* linesOf(
  viewer: RouteViewer,
  query: RouteQuery,
  prefix: Prefix,
): Generator<RouteLine | undefined, void> {
  const { view, neighbour, explain } = query;
  const neighbours = neighbour === undefined ? viewer.neighbours : [neighbour];
  if (view === 'all' || view === 'best') {
    const line = tableLine(viewer, query, prefix);
    if (line === undefined) return;
    const exports = explain
      ? { exports: neighbours.flatMap((each) => viewer.exported(prefix, each) ?? []) }
      : {};
    yield { view, ...line, ...exports };
    return;
  }
  for (const each of neighbours) {
    // A thousand neighbours are a thousand looks: the turn may end between them.
    yield undefined;
    if (view === 'in') {
      for (const received of viewer.received(prefix, each))
        yield { view, prefix: prefix.toString(), ...received };
    } else {
      const exported = viewer.exported(prefix, each);
      if (exported !== undefined && (exported.told || explain))
        yield { view, prefix: prefix.toString(), ...exported };
    }
  }
}

function tableLine(
  viewer: RouteViewer,
  { view, neighbour }: RouteQuery,
  prefix: Prefix,
): Omit<RouteView, 'best'> | undefined {
  const route = viewer.route(prefix);
  if (route === undefined) return undefined;
  // The best path is among the paths, and marked: a million lines need not say it twice.
  const { best: _, ...line } = route;
  const paths = line.paths.filter(
    ({ best, peer, reason }) =>
      (view === 'all' || best || reason === 'equal (multipath)') &&
      (neighbour === undefined || peer === neighbour.name),
  );
  return paths.length === 0 ? undefined : { ...line, paths };
}
