/**
 * An API server for the tests of a file; where there can be none, its tests are left out and say why. Starting one takes
 * seconds, so files share one where what others leave in it does not matter to them.
 */
import { skip } from '../../datastore/skip.ts';
import { findKubeApiserver } from './binary.ts';
import { KubeServer } from './server.ts';

interface Shared {
  server: Promise<KubeServer> | undefined;
  /** Files that are still to use it. */
  users: number;
}

const shared: Shared = { server: undefined, users: 0 };

interface SuiteOptions {
  /** A server that nobody has used before, and nobody will after. */
  readonly own?: boolean;
}

export function withKubeServer({ own = false }: SuiteOptions = {}): () => KubeServer {
  const one = own ? { server: undefined, users: 0 } : shared;
  one.users++;
  let server: KubeServer | undefined;
  let missing: string | undefined;
  before(async function () {
    // A build may have to be waited for.
    this.timeout(16 * 60_000);
    const found = findKubeApiserver();
    if ('missing' in found) {
      missing = found.missing;
      return;
    }
    one.server ??= start(found.binary);
    server = await one.server;
  });
  beforeEach(function () {
    if (missing !== undefined) skip(this, missing);
  });
  after(async () => {
    if (--one.users === 0) await remove(one);
  });
  return () => {
    if (server === undefined) throw new Error('there is no API server');
    return server;
  };
}

/** Of files that a filter left out, nobody counts down. */
after(async () => remove(shared));

async function start(binary: string): Promise<KubeServer> {
  const server = new KubeServer(binary);
  await server.start();
  return server;
}

async function remove(one: Shared): Promise<void> {
  const { server } = one;
  one.server = undefined;
  await (await server)?.remove();
}
