/** Unix sockets that only root may open, at paths where a dead process may have left one. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { type Server, connect } from 'node:net';
import { dirname } from 'node:path';
import { PoplinError } from '../api/problem.ts';

/**
 * Listens on `path`, replacing a socket file that a dead process left behind.
 * @throws PoplinError `CONTROL_IN_USE` when a living process answers there
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  if (await answers(path)) {
    throw new PoplinError([
      {
        code: 'CONTROL_IN_USE',
        value: path,
        what: `another process already serves ${path}`,
        remedy: 'stop it, or give this one its own --run-dir',
      },
    ]);
  }
  rmSync(path, { force: true });
  // Between listen and chmod the file has the process's umask: nobody but the owner may connect in that gap.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
