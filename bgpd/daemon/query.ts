/** What a caller of the control socket asks for, checked. */
import { PoplinError, type Problem } from '../../api/problem.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { CLEAR_MODES, type ClearMode } from '../speaker/clear.ts';
import type { Neighbour } from '../speaker/neighbour.ts';
import type { RouteQuery } from '../speaker/route-lines.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { findNeighbour } from '../speaker/view.ts';
import { FAMILIES, type Family } from '../wire/types.ts';

const VIEWS = ['all', 'best', 'in', 'out'] as const satisfies readonly RouteQuery['view'][];
const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/**
 * `view`, `prefix` (an address stands for the most specific prefix that holds it), `within` = 1, `neighbor`, `family`,
 * `explain` = 1, `limit`.
 * @throws PoplinError `QUERY_INVALID`, `NO_SUCH_NEIGHBOR`
 */
export function routeQuery(speaker: Speaker, query: URLSearchParams): RouteQuery {
  const text = query.get('prefix');
  const name = query.get('neighbor');
  const address = text === null ? undefined : Address.parse(text);
  const within = query.get('within') === '1';
  const limit = query.get('limit');
  return {
    view: oneOf('view', query.get('view') ?? 'all', VIEWS),
    family:
      query.get('family') === null ? undefined : oneOf('family', query.get('family') ?? '', FAMILY_NAMES),
    prefix: address === undefined ? (text === null ? undefined : prefixIn(text)) : Prefix.host(address),
    match: within ? 'within' : address === undefined ? 'exact' : 'longest',
    neighbour: name === null ? undefined : neighbourIn(speaker, name),
    explain: query.get('explain') === '1',
    limit: limit === null ? undefined : count('limit', limit),
  };
}

export interface ClearQuery {
  readonly neighbours: readonly Neighbour[];
  readonly mode: ClearMode;
  readonly family: Family | undefined;
}

/**
 * `neighbor` or `all` = 1, `mode`, `family`. All of them have to be asked for by name, so that a query that lost its
 * neighbor on the way does not end every session.
 * @throws PoplinError `QUERY_INVALID`, `NO_SUCH_NEIGHBOR`
 */
export function clearQuery(speaker: Speaker, query: URLSearchParams): ClearQuery {
  const name = query.get('neighbor');
  const all = query.get('all') === '1';
  const family = query.get('family');
  if (all === (name !== null))
    throw refusal({
      code: 'QUERY_INVALID',
      field: 'neighbor',
      value: name ?? '',
      what: all ? 'one neighbor and all of them are asked for' : 'no neighbor is named',
      remedy: 'name a neighbor, or ask for all',
    });
  return {
    neighbours: name === null ? [...speaker.neighbours] : [neighbourIn(speaker, name)],
    mode: oneOf('mode', query.get('mode') ?? 'hard', CLEAR_MODES),
    family: family === null ? undefined : oneOf('family', family, FAMILY_NAMES),
  };
}

/** By name or address. @throws PoplinError `NO_SUCH_NEIGHBOR` */
export function neighbourIn(speaker: Speaker, name: string): Neighbour {
  const found = findNeighbour(speaker, name);
  if (found !== undefined) return found;
  const names = speaker.neighbours.map((neighbour) => neighbour.name).sort();
  const some =
    names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ');
  throw refusal({
    code: 'NO_SUCH_NEIGHBOR',
    field: 'neighbor',
    value: name,
    what: `there is no neighbor ${JSON.stringify(name)}`,
    remedy: names.length === 0 ? 'none is configured' : `there are ${some}; an address will do, too`,
  });
}

/** Host bits are cleared. @throws PoplinError `QUERY_INVALID` */
export function prefixIn(text: string): Prefix {
  const prefix = Prefix.parse(text, { hostBits: 'mask' });
  if (prefix !== undefined) return prefix;
  throw refusal({
    code: 'QUERY_INVALID',
    field: 'prefix',
    value: text,
    what: `${JSON.stringify(text)} is no prefix`,
    remedy: 'write it as 10.244.1.0/26 or fd00:10:244::/122',
  });
}

function oneOf<T extends string>(field: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  throw refusal({
    code: 'QUERY_INVALID',
    field,
    value,
    what: `there is no ${field} ${JSON.stringify(value)}`,
    remedy: `use one of ${known.join(', ')}`,
  });
}

function count(field: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw refusal({
    code: 'QUERY_INVALID',
    field,
    value: text,
    what: `${field} is ${JSON.stringify(text)}`,
    remedy: 'give a whole number above 0',
  });
}

function refusal(problem: Problem): PoplinError {
  return new PoplinError([problem]);
}
