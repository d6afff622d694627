/** What a BGP daemon answers on its control socket. All but `POST /clear` only reads. */
import { EXPOSITION, exposition } from '../../daemon/metrics.ts';
import type { ControlRequest, ControlRoutes } from '../../daemon/control.ts';
import { DECISION_STEPS } from '../rib/decision.ts';
import { streamed, streamedLines } from '../../daemon/stream.ts';
import { clearPeer, type Cleared } from '../speaker/clear.ts';
import { exportViews, routeViews } from '../speaker/route-view.ts';
import { routeLines } from '../speaker/route-lines.ts';
import { neighbourView, peerLines, peerViews } from '../speaker/view.ts';
import { dotted } from '../wire/format.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import { BGPD_METRICS } from './metrics.ts';
import { clearQuery, neighbourIn, prefixIn, routeQuery } from './query.ts';
import type { Subject } from './subject.ts';

export function controlRoutes(bgpd: Subject): ControlRoutes {
  return {
    'GET /status': () => status(bgpd),
    'GET /peers': () => ({ peers: peerViews(bgpd.engine.speaker, bgpd.engine.clock.now()) }),
    'GET /neighbors': () => streamedLines(peerLines(bgpd.engine.speaker, bgpd.engine.clock.now())),
    'GET /neighbor': ({ query }) => {
      const { speaker, clock } = bgpd.engine;
      return neighbourView(speaker, neighbourIn(speaker, query.get('name') ?? ''), clock);
    },
    'GET /rib': ({ query }) => {
      const { speaker } = bgpd.engine;
      return streamedLines(routeLines(speaker, routeQuery(speaker, query)));
    },
    'POST /clear': ({ query }) => clear(bgpd, query),
    'GET /metrics': () => streamed(EXPOSITION, exposition(BGPD_METRICS, bgpd)),
    'GET /routes': (request) => routes(bgpd, request),
    'GET /decision-steps': () => ({
      steps: DECISION_STEPS.map(({ reason, source }) => ({ reason, source })),
    }),
  };
}

function clear(
  { engine: { speaker } }: Subject,
  query: URLSearchParams,
): { readonly peers: readonly Cleared[] } {
  const { neighbours, mode, family } = clearQuery(speaker, query);
  return { peers: neighbours.map((neighbour) => clearPeer(speaker, neighbour, mode, family)) };
}

function status(bgpd: Subject): object {
  const { speaker, clock, fib, startedAt } = bgpd.engine;
  return {
    node: bgpd.node,
    asn: speaker.config?.asn,
    routerId: speaker.config === undefined ? undefined : dotted(speaker.config.routerId),
    uptimeSeconds: Math.floor((clock.now() - startedAt) / 1000),
    synced: bgpd.synced,
    restarting: speaker.deferral.active,
    waitingFor: waitingFor(bgpd),
    peers: peerViews(speaker, clock.now()),
    kernel: [...(fib?.obstacles() ?? [])].map(({ prefix, state, reason }) => ({
      prefix: prefix.toString(),
      state,
      reason,
    })),
    problems: bgpd.problems,
  };
}

function waitingFor(bgpd: Subject): readonly string[] {
  const families = Object.keys(FAMILIES) as Family[];
  return [...new Set(families.flatMap((family) => bgpd.engine.speaker.deferral.waitingFor(family)))];
}

function routes(bgpd: Subject, { query }: ControlRequest): object {
  const prefix = prefixIn(query.get('prefix') ?? '');
  return {
    routes: routeViews(bgpd.engine.speaker, prefix),
    exports: exportViews(bgpd.engine.speaker, prefix),
  };
}
