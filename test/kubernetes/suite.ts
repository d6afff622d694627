/** One API server for all tests of a file; where there can be none, its tests are left out and say why. */
import { skip } from '../../datastore/skip.ts';
import { findKubeApiserver } from './binary.ts';
import { KubeServer } from './server.ts';

export function withKubeServer(): () => KubeServer {
  let server: KubeServer | undefined;
  let missing: string | undefined;
  before(async function () {
    // A build may have to be waited for.
    this.timeout(15 * 60_000);
    const found = findKubeApiserver();
    if ('missing' in found) {
      missing = found.missing;
      return;
    }
    server = new KubeServer(found.binary);
    await server.start();
  });
  beforeEach(function () {
    if (missing !== undefined) skip(this, missing);
  });
  after(async () => server?.remove());
  return () => {
    if (server === undefined) throw new Error('there is no API server');
    return server;
  };
}
