/** `GET /route?to=ADDRESS`: why packets of this node to an address leave as they do. */
import type { Problem } from '../../api/problem.ts';
import { type ControlRoutes, respond } from '../../daemon/control.ts';
import { Address } from '../../net/addr/index.ts';
import type { Routing } from '../routing/routing.ts';

export function controlRoute(routing: Pick<Routing, 'explain'>): ControlRoutes {
  return {
    'GET /route': async ({ query }) => {
      const to = Address.parse(query.get('to') ?? '');
      if (to === undefined) return respond(400, { problems: [noAddress(query.get('to'))] });
      return (await routing.explain(to)) ?? respond(503, { problems: [NOT_YET] });
    },
  };
}

function noAddress(value: string | null): Problem {
  return {
    code: 'QUERY_INVALID',
    field: 'to',
    value,
    what: `${JSON.stringify(value)} is no address`,
    remedy: 'ask for /route?to=ADDRESS',
  };
}

const NOT_YET: Problem = {
  code: 'NOT_SYNCED',
  what: 'felix-lite has not seen the datastore in full yet',
  remedy: 'ask again in a moment; poplin node status says why where it does not come',
};
