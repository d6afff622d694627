/** bgp routes: routes as they come from bgpd, onto the screen, without gathering them. */
import type { RouteLine } from '../../bgpd/speaker/route-lines.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { HEADINGS, drawRoute } from '../output/bgp-routes.ts';
import { ManyRows, ManyValues } from '../output/many.ts';
import { ask, chooseSpeakers } from '../speakers.ts';
import type { bgpRoutesTable } from '../tables/bgp.ts';

type Args = Arguments<typeof bgpRoutesTable>;

const VIEWS = ['in', 'out', 'best'] as const;

export const bgpRoutes: Action<Args> = async (args, terminal) => {
  const url = urlOf(args);
  const places = chooseSpeakers(args, terminal.env);
  const several = places.length > 1;
  const values = args.output === 'table' ? undefined : new ManyValues(terminal, args.output);
  for (const place of places) {
    const lines = await ask<RouteLine>(place, url);
    if (several && values === undefined) terminal.out(`Node ${place.node ?? place.socket}\n`);
    const rows = values === undefined ? new ManyRows(terminal, HEADINGS[viewOf(args)]) : undefined;
    for await (const line of lines) {
      let more = true;
      if (values !== undefined) more = await values.put(several ? { node: place.node, ...line } : line);
      else for (const row of drawRoute(line, args.explain)) more = ((await rows?.put(row)) ?? true) && more;
      // Whoever read has gone, and the daemon hears of it by the end of the loop.
      if (!more) return EXIT.ok;
    }
    await rows?.end();
    if (several && values === undefined) terminal.out('\n');
  }
  await values?.end();
  return EXIT.ok;
};

function viewOf({ view }: Args): 'all' | (typeof VIEWS)[number] {
  return VIEWS.find((each) => each === view) ?? 'all';
}

function urlOf(args: Args): string {
  const view = viewOf(args);
  // `routes 10.0.0.0/8`: the first word is the prefix.
  if (view === 'all' && args.view !== undefined && args.prefix !== undefined)
    throw new UsageError(`${JSON.stringify(args.view)} is no view; use ${VIEWS.join(', ')}, or none`);
  const prefix = view === 'all' ? args.view : args.prefix;
  if (prefix !== undefined && !isPrefix(prefix)) {
    const what = view === 'all' ? `neither a view (${VIEWS.join(', ')}) nor a prefix` : 'no prefix';
    throw new UsageError(`${JSON.stringify(prefix)} is ${what}; write one as 10.1.0.0/16, or an address`);
  }
  if (args.within && prefix === undefined) throw new UsageError('--within needs a prefix');
  if (args.limit !== undefined && !(Number.isInteger(args.limit) && args.limit > 0))
    throw new UsageError('--limit needs a whole number above 0');
  const query = new URLSearchParams({ view });
  if (prefix !== undefined) query.set('prefix', prefix);
  if (args.within) query.set('within', '1');
  if (args.neighbor !== undefined) query.set('neighbor', args.neighbor);
  if (args.family !== undefined) query.set('family', args.family);
  if (args.explain) query.set('explain', '1');
  if (args.limit !== undefined) query.set('limit', String(args.limit));
  return `/rib?${query.toString()}`;
}

function isPrefix(text: string): boolean {
  return Address.parse(text) !== undefined || Prefix.parse(text, { hostBits: 'mask' }) !== undefined;
}
