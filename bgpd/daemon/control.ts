/** What a BGP daemon answers on its control socket. Read only. */
import { PoplinError, type Problem } from '../../api/index.ts';
import type { ControlRequest, ControlRoutes } from '../../daemon/control.ts';
import { Prefix } from '../../net/addr/index.ts';
import { DECISION_STEPS } from '../rib/decision.ts';
import { exportViews, peerViews, routeViews } from '../speaker/view.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import type { Engine } from './engine.ts';

/** A daemon, wherever its configuration comes from. */
export interface Subject {
  /** What it is called: the node, or its router id. */
  readonly node: string;
  readonly engine: Engine;
  /** Its whole configuration has been seen once. */
  readonly synced: boolean;
  readonly problems: readonly Problem[];
}

export function controlRoutes(bgpd: Subject): ControlRoutes {
  return {
    'GET /status': () => status(bgpd),
    'GET /peers': () => ({ peers: peerViews(bgpd.engine.speaker, bgpd.engine.clock.now()) }),
    'GET /routes': (request) => routes(bgpd, request),
    'GET /decision-steps': () => ({
      steps: DECISION_STEPS.map(({ reason, source }) => ({ reason, source })),
    }),
  };
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
  const text = query.get('prefix');
  if (text === null) return { routes: routeViews(bgpd.engine.speaker) };
  const prefix = Prefix.parse(text, { hostBits: 'mask' });
  if (prefix === undefined)
    throw new PoplinError([
      {
        code: 'QUERY_INVALID',
        field: 'prefix',
        value: text,
        what: `"${text}" is no prefix`,
        remedy: 'write it as 10.244.1.0/26 or fd00:10:244::/122',
      },
    ]);
  return {
    routes: routeViews(bgpd.engine.speaker, prefix),
    exports: exportViews(bgpd.engine.speaker, prefix),
  };
}

function dotted(routerId: number): string {
  return [24, 16, 8, 0].map((shift) => (routerId >>> shift) & 0xff).join('.');
}
