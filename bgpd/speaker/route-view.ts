/**
 * What the speaker knows of one prefix, as plain data: every path with the reason why it was or was not chosen, what
 * import made of it and by which rule, and who is told. Everything that shows routes reads them here.
 */
import type { Prefix } from '../../net/addr/index.ts';
import { exportPath, type ExportContext } from '../filter/export.ts';
import { DECISION_STEPS } from '../rib/decision.ts';
import type { Path } from '../rib/path.ts';
import { plainAttributes, type PlainAttributes } from '../wire/format.ts';
import { FAMILIES, type Family, type PathAttributes } from '../wire/types.ts';
import { exportContext } from './groups.ts';
import type { Neighbour } from './neighbour.ts';
import type { ForwardingStatus } from './ports.ts';
import type { Speaker } from './speaker.ts';

export const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

export interface PathView {
  readonly peer: string;
  /** Undefined where ADD-PATH is not in use. */
  readonly pathId: number | undefined;
  readonly nextHop: string | undefined;
  readonly linkLocal: string | undefined;
  /** `65001 65002 {65003,65004}`. */
  readonly asPath: string;
  readonly origin: string;
  readonly localPref: number;
  readonly med: number | undefined;
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly stale: boolean;
  readonly best: boolean;
  /** `best`, `equal (multipath)`, the decision step it lost by, or the import rule that refused it. */
  readonly reason: string;
  /** The decision step that put another path before this one, and where it stands: `RFC 4271 §9.1.2.2 a`. */
  readonly step: string | undefined;
  readonly source: string | undefined;
  /** What import did, where that was asked for and a peer sent the path. */
  readonly import?: ImportView;
}

export interface ImportView {
  readonly accepted: boolean;
  /** The rule that let the path in, or refused it. */
  readonly rule: string;
  /** Rules that changed it, in order. */
  readonly changedBy: readonly string[];
  readonly changes: readonly ChangeView[];
}

/** An attribute before and after policy; undefined: absent. */
export interface ChangeView {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface RouteView {
  readonly prefix: string;
  readonly best: PathView | undefined;
  readonly paths: readonly PathView[];
  /** What the kernel has; undefined where nothing is to be installed. */
  readonly installed: ForwardingStatus | undefined;
}

export interface ExportView {
  readonly peer: string;
  readonly told: boolean;
  /** The policy rule that let it out or held it back. */
  readonly reason: string;
  readonly changedBy: readonly string[];
  /** The Adj-RIB-Out does not stand so yet: the change waits for its turn. */
  readonly pending?: true;
  readonly nextHop?: string;
  /** As the peer is told them. */
  readonly attributes?: PlainAttributes;
}

/** A path as a peer sent it, and what import made of it. */
export interface ReceivedView {
  readonly peer: string;
  readonly pathId: number | undefined;
  readonly nextHop: string | undefined;
  readonly linkLocal: string | undefined;
  /** Before import policy. */
  readonly attributes: PlainAttributes;
  readonly accepted: boolean;
  /** Why import refused it. */
  readonly reason: string | undefined;
  readonly stale: boolean;
  readonly import?: ImportView;
}

const NO_REASONS: ReadonlyMap<Path, string | undefined> = new Map();

/** Answers for one prefix; made once for many, it looks neighbours up once. */
export class RouteViewer {
  readonly #speaker: Speaker;
  readonly #neighbours: readonly Neighbour[];
  readonly #bySource: ReadonlyMap<number, Neighbour>;
  readonly #contexts = new Map<Neighbour, ExportContext>();
  readonly #explain: boolean;

  /** @param explain  work out which import rule let a path in and which changed it, too */
  constructor(speaker: Speaker, explain: boolean) {
    this.#speaker = speaker;
    this.#neighbours = speaker.neighbours;
    this.#bySource = new Map(this.#neighbours.map((neighbour) => [neighbour.id, neighbour]));
    this.#explain = explain;
  }

  /** Undefined where nobody has a path to the prefix. */
  route(prefix: Prefix): RouteView | undefined {
    const family = familyOfPrefix(prefix);
    const { locRib } = this.#speaker.tables[family];
    const id = locRib.index.find(prefix);
    if (id === undefined) return undefined;
    const { best, multipath } = locRib.decision(id);
    const candidates = locRib.paths(id);
    // The usual prefix has one path, and that is the best.
    const alone = candidates.length === 1 && best !== undefined;
    const reasons = alone ? NO_REASONS : locRib.explain(id);
    const view = (path: Path): PathView => {
      const step = reasons.get(path);
      const reason = path.rejected ?? reasonOf(path, best, multipath, step);
      return this.#pathView(prefix, id, family, path, reason, path === best ? undefined : step);
    };
    const rejected = this.#neighbours.flatMap(({ adjRibIn }) => {
      const rib = adjRibIn[family];
      // Of a thousand neighbours few have had anything refused.
      return rib.size === rib.accepted ? [] : rib.get(prefix).filter((path) => path.rejected !== undefined);
    });
    const accepted = candidates.toSorted((a, b) => rank(a, best, multipath) - rank(b, best, multipath));
    const paths = [...accepted, ...rejected].map(view);
    if (paths.length === 0) return undefined;
    return {
      prefix: prefix.toString(),
      best: paths.find((path) => path.best),
      paths,
      installed: this.#speaker.forwarding?.status(prefix),
    };
  }

  /** Somebody has sent it, whatever import made of that, or it is our own. */
  hasPath(family: Family, id: number, prefix: Prefix): boolean {
    if (this.#speaker.tables[family].locRib.paths(id).length > 0) return true;
    return this.#neighbours.some(({ adjRibIn }) => adjRibIn[family].get(prefix).length > 0);
  }

  /** What the neighbour sent. */
  received(prefix: Prefix, neighbour: Neighbour): readonly ReceivedView[] {
    const family = familyOfPrefix(prefix);
    const rib = neighbour.adjRibIn[family];
    const id = this.#speaker.tables[family].index.find(prefix);
    if (id === undefined || rib.size === 0) return [];
    return rib.get(prefix).map((path) => ({
      peer: neighbour.name,
      pathId: path.pathId === 0 ? undefined : path.pathId,
      nextHop: path.nextHop?.address.toString(),
      linkLocal: path.nextHop?.linkLocal?.toString(),
      attributes: plainAttributes(path.received.attributes),
      accepted: path.rejected === undefined,
      reason: path.rejected,
      stale: rib.isStale(id, path),
      ...(this.#explain ? { import: importView(neighbour, prefix, path) } : {}),
    }));
  }

  /** Whether and how the neighbour is told the best path; undefined where there is none, or the family is not spoken. */
  exported(prefix: Prefix, neighbour: Neighbour): ExportView | undefined {
    const family = familyOfPrefix(prefix);
    const { locRib } = this.#speaker.tables[family];
    const id = locRib.index.find(prefix);
    if (id === undefined) return undefined;
    const best = locRib.best(id);
    if (best === undefined || neighbour.negotiated?.families.includes(family) !== true) return undefined;
    const peer = neighbour.name;
    const held = (reason: string): ExportView => ({
      peer,
      told: false,
      reason,
      changedBy: [],
      ...this.#pending(id, neighbour, family, false),
    });
    if (best.source.id === neighbour.id) return held('the route came from this peer');
    const exported = exportPath(prefix, best, this.#contextOf(neighbour));
    if (!exported.send) return held(exported.reason);
    return {
      peer,
      told: true,
      ...this.#pending(id, neighbour, family, true),
      reason: exported.rule,
      changedBy: exported.changedBy ?? [],
      nextHop: exported.nextHop.address.toString(),
      attributes: plainAttributes(exported.attributes),
    };
  }

  /** Peers with an Adj-RIB-In worth looking into. */
  get neighbours(): readonly Neighbour[] {
    return this.#neighbours;
  }

  #pending(id: number, neighbour: Neighbour, family: Family, told: boolean): { readonly pending?: true } {
    const member = this.#speaker.membership(neighbour, family);
    if (member === undefined) return {};
    // What the group tells a member that is still being given the table may not have reached that one.
    const tells = member.group.adjRibOut.tells(id, neighbour.id);
    const stands = told ? tells && member.current : !tells;
    return stands ? {} : { pending: true };
  }

  #contextOf(neighbour: Neighbour): ExportContext {
    const known = this.#contexts.get(neighbour);
    if (known !== undefined) return known;
    const context = exportContext(neighbour, this.#speaker.exportSurroundings());
    this.#contexts.set(neighbour, context);
    return context;
  }

  #pathView(
    prefix: Prefix,
    id: number,
    family: Family,
    path: Path,
    reason: string,
    step: string | undefined,
  ): PathView {
    const neighbour = this.#bySource.get(path.source.id);
    const attributes = plainAttributes(path.attributes.attributes);
    return {
      peer: path.source.name,
      pathId: path.pathId === 0 ? undefined : path.pathId,
      nextHop: path.nextHop?.address.toString(),
      linkLocal: path.nextHop?.linkLocal?.toString(),
      asPath: attributes.asPath,
      origin: attributes.origin,
      localPref: path.attributes.localPref,
      med: attributes.med,
      communities: attributes.communities ?? [],
      extendedCommunities: attributes.extendedCommunities ?? [],
      largeCommunities: attributes.largeCommunities ?? [],
      stale: neighbour?.adjRibIn[family].isStale(id, path) ?? false,
      best: reason === 'best',
      reason,
      step,
      source: DECISION_STEPS.find((each) => each.reason === step)?.source,
      ...(this.#explain && neighbour !== undefined ? { import: importView(neighbour, prefix, path) } : {}),
    };
  }
}

/** The best first, then those used beside it. */
function rank(path: Path, best: Path | undefined, multipath: readonly Path[]): number {
  return path === best ? 0 : multipath.includes(path) ? 1 : 2;
}

function reasonOf(
  path: Path,
  best: Path | undefined,
  multipath: readonly Path[],
  step: string | undefined,
): string {
  if (path === best) return 'best';
  if (multipath.includes(path)) return 'equal (multipath)';
  return step === undefined ? 'not decided yet' : `lost: another has ${withArticle(step)}`;
}

function withArticle(step: string): string {
  return /^(?:higher|lower|shorter|nearer)/.test(step) ? `a ${step}` : step;
}

function importView(neighbour: Neighbour, prefix: Prefix, path: Path): ImportView {
  const verdict = neighbour.explainImport(prefix, path);
  if (!verdict.accepted) return { accepted: false, rule: verdict.reason, changedBy: [], changes: [] };
  const { rule, changedBy = [] } = verdict;
  const changes = differences(path.received.attributes, verdict.attributes);
  return { accepted: true, rule, changedBy, changes };
}

function differences(before: PathAttributes, after: PathAttributes): readonly ChangeView[] {
  if (before === after) return [];
  const [one, other] = [before, after].map(plainAttributes) as [PlainAttributes, PlainAttributes];
  const fields = [...new Set([...Object.keys(one), ...Object.keys(other)])] as (keyof PlainAttributes)[];
  return fields
    .filter((field) => JSON.stringify(one[field]) !== JSON.stringify(other[field]))
    .map((field) => ({ field, before: one[field], after: other[field] }));
}

export function familyOfPrefix(prefix: Prefix): Family {
  return prefix.version === 4 ? 'ipv4-unicast' : 'ipv6-unicast';
}

/** Everything about one prefix: empty where nobody has a path to it. */
export function routeViews(speaker: Speaker, prefix: Prefix): readonly RouteView[] {
  const view = new RouteViewer(speaker, false).route(prefix);
  return view === undefined ? [] : [view];
}

/** Who is told the best path to a prefix and who not, and by which rule. */
export function exportViews(speaker: Speaker, prefix: Prefix): readonly ExportView[] {
  const viewer = new RouteViewer(speaker, false);
  return viewer.neighbours.flatMap((neighbour) => viewer.exported(prefix, neighbour) ?? []);
}
