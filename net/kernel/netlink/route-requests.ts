/** Routes of one network namespace: lists, batches, and the way to one address. */
import { constants } from 'node:os';
import type { Address, IpVersion } from '../../addr/index.ts';
import { isKernelError, KernelError } from '../errors.ts';
import { getLink, listLinks } from './link-requests.ts';
import { type IndexOf, MessageWriter, type NameOf, type Verdict } from './message.ts';
import { BATCH, noneFor } from './requests.ts';
import { formatRoute, matchesFilter, type Route, type RouteFilter, type RouteOperation } from './route.ts';
import type { RouteBatch } from './route-batch.ts';
import {
  decodeLookup,
  decodeRoute,
  encodeRoute,
  encodeRouteDump,
  encodeRouteLookup,
  RTM_NEWROUTE,
} from './route-codec.ts';
import type { RouteFailures, RouteSending, RouteWriter } from './route-writer.ts';
import type { RequestSocket } from './socket.ts';

export interface RouteChange {
  readonly op: RouteOperation;
  readonly route: Route;
}

export interface RouteOutcome {
  readonly change: RouteChange;
  /** 0 when done. */
  readonly errno: number;
  /** Present exactly when `errno` is not 0, with the kernel's own words. */
  readonly error?: KernelError;
}

async function names(socket: RequestSocket): Promise<NameOf> {
  const links = new Map((await listLinks(socket)).map(({ index, name }) => [index, name]));
  return (index) => links.get(index);
}

/** See `Netlink.listRoutes`. */
export async function listRoutes(socket: RequestSocket, filter: RouteFilter): Promise<Route[]> {
  const nameOf = await names(socket);
  const versions: readonly IpVersion[] = filter.version === undefined ? [4, 6] : [filter.version];
  const found: Route[][] = [];
  for (const version of versions) {
    const routes = socket.dump(
      `RTM_GETROUTE IPv${version}`,
      (w) => encodeRouteDump(w, version, filter),
      (bytes, { start, end }) => {
        const route = decodeRoute(bytes, start, end, nameOf);
        return route !== undefined && matchesFilter(route, filter) ? route : undefined;
      },
    );
    found.push(await routes.catch(noneFor('ENOENT', 'EAFNOSUPPORT', 'EOPNOTSUPP')));
  }
  return found.flat();
}

/** See `Netlink.applyRoutes`. */
export async function applyRoutes(
  socket: RequestSocket,
  changes: readonly RouteChange[],
): Promise<RouteOutcome[]> {
  const indexOf = await indexer(socket, changes);
  const outcomes: RouteOutcome[] = [];
  for (let at = 0; at < changes.length; at += BATCH)
    outcomes.push(...(await applyBatch(socket, changes.slice(at, at + BATCH), indexOf)));
  return outcomes;
}

/** See `Netlink.sendRoutes`. */
export function sendRoutes(
  writer: RouteWriter,
  batch: RouteBatch,
  describe: (index: number) => string,
): RouteSending<KernelError> {
  if (batch.count === 0) return { outcome: Promise.resolve(new Map()), poll: () => new Map() };
  const sending = writer.send(batch);
  let failures: RouteFailures<KernelError> | undefined;
  // Once: whoever has seen the outcome may have filled the batch anew.
  const inWords = (verdicts: RouteFailures<Verdict>): RouteFailures<KernelError> =>
    (failures ??= new Map(
      [...verdicts].map(([index, { errno, text }]) => [
        index,
        new KernelError(errno, describe(index), text ?? plainWords(errno)),
      ]),
    ));
  return {
    outcome: sending.outcome.then(inWords),
    poll: () => {
      const verdicts = sending.poll();
      return verdicts === undefined ? undefined : inWords(verdicts);
    },
  };
}

/** See `Netlink.routeTo`. */
export async function routeTo(
  socket: RequestSocket,
  address: Address,
): Promise<{ readonly route: Route; readonly source: Address | undefined } | undefined> {
  const nameOf = await names(socket);
  const ask = async (whole: boolean): Promise<Route | undefined> => {
    let found: Route | undefined;
    await socket.request(
      `RTM_GETROUTE ${address.toString()}`,
      (w) => encodeRouteLookup(w, address, whole),
      (bytes, { type, start, end }) => {
        if (type === RTM_NEWROUTE) found = decodeLookup(bytes, start, end, nameOf);
      },
    );
    return found;
  };
  try {
    const route = await ask(true);
    return route === undefined ? undefined : { route, source: (await ask(false))?.source };
  } catch (error) {
    // Rejecting routes answer so, too.
    if (isKernelError(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES')) return undefined;
    throw error;
  }
}

async function applyBatch(
  socket: RequestSocket,
  changes: readonly RouteChange[],
  indexOf: IndexOf,
): Promise<RouteOutcome[]> {
  const writer = new MessageWriter(64 * changes.length);
  const refused = new Map<RouteChange, RouteOutcome>();
  for (const change of changes) {
    try {
      encodeRoute(writer, change.op, change.route, indexOf);
    } catch (error) {
      writer.discard();
      refused.set(change, refusal(change, error));
    }
  }
  const verdicts = writer.count === 0 ? [] : await socket.batch(writer);
  let next = 0;
  return changes.map((change) => {
    const early = refused.get(change);
    if (early !== undefined) return early;
    const { errno, text } = verdicts[next++] ?? { errno: 0, text: undefined };
    if (errno === 0) return { change, errno };
    return { change, errno, error: new KernelError(errno, describe(change), text ?? plainWords(errno)) };
  });
}

/** Looks up the interfaces that the changes name, once each. */
async function indexer(socket: RequestSocket, changes: readonly RouteChange[]): Promise<IndexOf> {
  const names = new Set<string>();
  for (const { route } of changes)
    for (const { interface: name } of route.nextHops) if (typeof name === 'string') names.add(name);
  const indexes = new Map<string, number>();
  const FEW = 8;
  if (names.size > FEW) for (const { name, index } of await listLinks(socket)) indexes.set(name, index);
  else
    for (const name of names) {
      const link = await getLink(socket, name);
      if (link !== undefined) indexes.set(name, link.index);
    }
  return (nameOrIndex) => {
    if (typeof nameOrIndex === 'number') return nameOrIndex;
    const index = indexes.get(nameOrIndex);
    if (index === undefined) throw new KernelError(constants.errno.ENODEV, `interface ${nameOrIndex}`);
    return index;
  };
}

/** The kernel's plain ESRCH reads "no such process", which helps nobody. */
function plainWords(errno: number): string | undefined {
  return errno === constants.errno.ESRCH ? 'there is no such route' : undefined;
}

function describe({ op, route }: RouteChange): string {
  return `route ${op} ${formatRoute(route)}`;
}

/** What could not even be put into bytes: an unknown interface, or a value that no kernel could hold. */
function refusal(change: RouteChange, error: unknown): RouteOutcome {
  const known =
    error instanceof KernelError
      ? error
      : new KernelError(
          constants.errno.EINVAL,
          describe(change),
          error instanceof Error ? error.message : String(error),
        );
  return { change, errno: known.errno, error: known };
}
