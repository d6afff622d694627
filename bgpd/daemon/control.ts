/** What bgpd answers on its control socket. Read only. */
import { PoplinError } from '../../api/index.ts';
import type { ControlRequest, ControlRoutes } from '../../daemon/control.ts';
import { Prefix } from '../../net/addr/index.ts';
import { DECISION_STEPS } from '../rib/decision.ts';
import { exportViews, peerViews, routeViews } from '../speaker/view.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import type { Bgpd } from './bgpd.ts';

export function controlRoutes(bgpd: Bgpd): ControlRoutes {
  return {
    'GET /status': () => status(bgpd),
    'GET /peers': () => ({ peers: peerViews(bgpd.speaker, bgpd.clock.now()) }),
    'GET /routes': (request) => routes(bgpd, request),
    'GET /decision-steps': () => ({
      steps: DECISION_STEPS.map(({ reason, source }) => ({ reason, source })),
    }),
  };
}

function status(bgpd: Bgpd): object {
  const { speaker } = bgpd;
  return {
    node: bgpd.node,
    asn: speaker.config?.asn,
    routerId: speaker.config === undefined ? undefined : dotted(speaker.config.routerId),
    uptimeSeconds: Math.floor((bgpd.clock.now() - bgpd.startedAt) / 1000),
    synced: bgpd.synced,
    restarting: speaker.deferral.active,
    waitingFor: waitingFor(bgpd),
    peers: peerViews(speaker, bgpd.clock.now()),
    kernel: [...bgpd.fib.obstacles()].map(({ prefix, state, reason }) => ({
      prefix: prefix.toString(),
      state,
      reason,
    })),
    problems: bgpd.problems,
  };
}

function waitingFor(bgpd: Bgpd): readonly string[] {
  const families = Object.keys(FAMILIES) as Family[];
  return [...new Set(families.flatMap((family) => bgpd.speaker.deferral.waitingFor(family)))];
}

function routes(bgpd: Bgpd, { query }: ControlRequest): object {
  const text = query.get('prefix');
  if (text === null) return { routes: routeViews(bgpd.speaker) };
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
  return { routes: routeViews(bgpd.speaker, prefix), exports: exportViews(bgpd.speaker, prefix) };
}

function dotted(routerId: number): string {
  return [24, 16, 8, 0].map((shift) => (routerId >>> shift) & 0xff).join('.');
}
