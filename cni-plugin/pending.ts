/**
 * Deletions that could not be done when they were asked for, one file each, in the agent's run directory.
 *
 * A DEL that fails keeps a pod in Terminating for ever, so when the agent is away the executable promises
 * the deletion here and succeeds; the agent makes the promise good before it serves anything else. A file
 * is named after what it deletes, so asking twice promises once. The folder is under /run on purpose: after a reboot
 * every attachment is gone anyway, and the agent's sweep frees what they held.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type CniRequest, readCniRequest } from './protocol.ts';

const FOLDER = 'pending-deletions';
const SUFFIX = '.json';

export interface PendingDeletion {
  readonly id: string;
  readonly request: CniRequest;
}

export class PendingDeletions {
  readonly #folder: string;

  /** @param runDir the agent's run directory: the folder its socket is in */
  constructor(runDir: string) {
    this.#folder = join(runDir, FOLDER);
  }

  static beside(agentSocket: string): PendingDeletions {
    return new PendingDeletions(dirname(agentSocket));
  }

  /** Durable when it returns. @throws the system's error when the folder cannot be written */
  add(network: string, request: CniRequest): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const id = createHash('sha256')
      .update([network, request.env['CNI_CONTAINERID'] ?? '', request.env['CNI_IFNAME'] ?? ''].join('\0'))
      .digest('hex');
    const path = join(this.#folder, `${id}${SUFFIX}`);
    const fresh = `${path}.${process.pid}.new`;
    const file = openSync(fresh, 'w', 0o600);
    try {
      writeSync(file, `${JSON.stringify(request)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
    syncFolder(this.#folder);
  }

  /** Oldest promise first does not matter: deletions of different attachments do not touch. Unreadable files are skipped. */
  list(): PendingDeletion[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder).sort();
    } catch {
      return [];
    }
    return names.flatMap((name) => {
      if (!name.endsWith(SUFFIX)) return [];
      const request = readFile(join(this.#folder, name));
      return request === undefined ? [] : [{ id: name.slice(0, -SUFFIX.length), request }];
    });
  }

  remove(id: string): void {
    rmSync(join(this.#folder, `${id}${SUFFIX}`), { force: true });
  }
}

function readFile(path: string): CniRequest | undefined {
  try {
    const request = readCniRequest(JSON.parse(readFileSync(path, 'utf8')));
    return 'code' in request ? undefined : request;
  } catch {
    return undefined;
  }
}

/** A rename is durable only when its folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
