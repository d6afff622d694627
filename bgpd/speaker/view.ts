/** What the speaker knows, as plain data for people and programs: peers, and routes with the reason for each choice. */
import type { Prefix } from '../../net/addr/index.ts';
import { exportPath } from '../filter/export.ts';
import type { Path } from '../rib/path.ts';
import { FAMILIES, type AsSegment, type Family, type PathAttributes } from '../wire/types.ts';
import { exportContext } from './groups.ts';
import type { Neighbour } from './neighbour.ts';
import type { ForwardingStatus } from './ports.ts';
import type { SessionCounters } from './session.ts';
import type { Speaker } from './speaker.ts';

export interface PeerView {
  readonly name: string;
  readonly description: string | undefined;
  readonly address: string;
  readonly port: number;
  readonly asn: number | undefined;
  readonly localAddress: string | undefined;
  readonly state: string;
  readonly sinceSeconds: number;
  /** What the OPENs settled while Established, else what we offer. */
  readonly families: readonly Family[];
  readonly prefixesReceived: number;
  readonly prefixesAccepted: number;
  readonly prefixesStale: number;
  readonly prefixesAdvertised: number;
  readonly lastError: string | undefined;
  readonly counters: SessionCounters;
}

export interface PathView {
  readonly peer: string;
  readonly nextHop: string | undefined;
  /** `65001 65002 {65003,65004}`. */
  readonly asPath: string;
  readonly origin: string;
  readonly localPref: number;
  readonly med: number | undefined;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly stale: boolean;
  readonly best: boolean;
  /** `best`, `equal (multipath)`, the decision step it lost by, or the import rule that refused it. */
  readonly reason: string;
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
}

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** @param now  milliseconds of the speaker's clock */
export function peerViews(speaker: Speaker, now: number): readonly PeerView[] {
  return speaker.neighbours
    .map((neighbour) => peerView(speaker, neighbour, now))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function peerView(speaker: Speaker, neighbour: Neighbour, now: number): PeerView {
  const { session } = neighbour;
  return {
    name: neighbour.name,
    description: neighbour.config.session.description,
    address: session.config.peerAddress,
    port: session.config.peerPort,
    asn: session.negotiated?.peerAsn ?? session.config.peerAsn,
    localAddress: session.localAddress ?? session.config.localAddress,
    state: session.state,
    sinceSeconds: Math.floor((now - session.since) / 1000),
    families: session.negotiated?.families ?? session.config.families,
    prefixesReceived: overFamilies((family) => neighbour.adjRibIn[family].size),
    prefixesAccepted: overFamilies((family) => neighbour.adjRibIn[family].accepted),
    prefixesStale: neighbour.staleRoutes,
    prefixesAdvertised: overFamilies((family) => speaker.membership(neighbour, family)?.advertised() ?? 0),
    lastError: session.lastError,
    counters: { ...session.counters },
  };
}

function overFamilies(count: (family: Family) => number): number {
  return FAMILY_NAMES.reduce((total, family) => total + count(family), 0);
}

/** Routes of both families in prefix order; with `only`, the one of that prefix. */
export function routeViews(speaker: Speaker, only?: Prefix): readonly RouteView[] {
  const prefixes = only === undefined ? allPrefixes(speaker) : [only];
  return prefixes.flatMap((prefix) => routeView(speaker, prefix) ?? []);
}

function allPrefixes(speaker: Speaker): readonly Prefix[] {
  const prefixes: Prefix[] = [];
  for (const family of FAMILY_NAMES) {
    const { index } = speaker.tables[family];
    for (let id = 0; id < index.limit; id++) {
      const prefix = index.prefix(id);
      if (prefix !== undefined) prefixes.push(prefix);
    }
  }
  return prefixes.sort((a, b) => a.compare(b));
}

function routeView(speaker: Speaker, prefix: Prefix): RouteView | undefined {
  const family = familyOfPrefix(prefix);
  const { locRib } = speaker.tables[family];
  const id = locRib.index.find(prefix);
  if (id === undefined) return undefined;
  const { best, multipath } = locRib.decision(id);
  const reasons = locRib.explain(id);
  const isStale = (path: Path): boolean =>
    speaker.neighbours
      .find((neighbour) => neighbour.id === path.source.id)
      ?.adjRibIn[family].isStale(id, path) ?? false;
  const accepted = locRib
    .paths(id)
    .map((path) => pathView(path, isStale(path), reasonOf(path, best, multipath, reasons.get(path))));
  const rejected = speaker.neighbours
    .flatMap((neighbour) => neighbour.adjRibIn[family].get(prefix))
    .flatMap((path) => (path.rejected === undefined ? [] : [pathView(path, isStale(path), path.rejected)]));
  const paths = [...accepted, ...rejected];
  if (paths.length === 0) return undefined;
  return {
    prefix: prefix.toString(),
    best: paths.find((path) => path.best),
    paths,
    installed: speaker.forwarding?.status(prefix),
  };
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
  return step.startsWith('higher') || step.startsWith('lower') || step.startsWith('shorter')
    ? `a ${step}`
    : step;
}

function pathView(path: Path, stale: boolean, reason: string): PathView {
  const { attributes } = path.attributes;
  return {
    peer: path.source.name,
    nextHop: path.nextHop?.address.toString(),
    asPath: formatAsPath(attributes.asPath),
    origin: attributes.origin,
    localPref: path.attributes.localPref,
    med: attributes.med,
    communities: (attributes.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
    largeCommunities: largeCommunities(attributes),
    stale,
    best: reason === 'best',
    reason,
  };
}

function largeCommunities({ largeCommunities }: PathAttributes): readonly string[] {
  return (largeCommunities ?? []).map(({ global, local1, local2 }) => `${global}:${local1}:${local2}`);
}

/** As BIRD and FRR print it: sets in braces, confederation segments in parentheses. */
export function formatAsPath(path: readonly AsSegment[]): string {
  return path
    .map(({ type, asns }) => {
      if (type === 'sequence') return asns.join(' ');
      if (type === 'set') return `{${asns.join(',')}}`;
      return `(${asns.join(type === 'confed-set' ? ',' : ' ')})`;
    })
    .join(' ');
}

/** Who is told the best path to a prefix and who not, and by which rule. */
export function exportViews(speaker: Speaker, prefix: Prefix): readonly ExportView[] {
  const family = familyOfPrefix(prefix);
  const { locRib } = speaker.tables[family];
  const id = locRib.index.find(prefix);
  const best = id === undefined ? undefined : locRib.best(id);
  if (best === undefined) return [];
  return speaker.neighbours
    .filter((neighbour) => neighbour.negotiated?.families.includes(family) ?? false)
    .map((neighbour) => {
      if (best.source.id === neighbour.id)
        return { peer: neighbour.name, told: false, reason: 'the route came from this peer' };
      const exported = exportPath(prefix, best, exportContext(neighbour, speaker.exportSurroundings()));
      return exported.send
        ? { peer: neighbour.name, told: true, reason: exported.rule }
        : { peer: neighbour.name, told: false, reason: exported.reason };
    });
}

function familyOfPrefix(prefix: Prefix): Family {
  return prefix.version === 4 ? 'ipv4-unicast' : 'ipv6-unicast';
}
