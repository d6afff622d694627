/**
 * What makes a runtime call us: the plugin in its folder of programs, then (never before) the configuration that names it.
 * Repeating it changes nothing that is right. Taking it away goes the other way round.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { place, takeAway } from './files.ts';

const SOURCE = join(import.meta.dirname, '..', '..', 'cni-plugin');
/** In every launcher; see cni-plugin/launcher/launcher.c. */
const GREETING = 'POPLIN-CNI';
const FALLBACK = '-node';
const SIGNATURE = '# Installed by Poplin: what the launcher beside this file starts when no agent answers.';

export interface Places {
  readonly binDir: string;
  readonly confDir: string;
  readonly confName: string;
  /** File name of the plugin, the `type` in configurations. */
  readonly name: string;
  readonly kubeconfig: string;
}

export interface Contents {
  readonly conflist: string;
  /** Undefined: none is wanted. */
  readonly kubeconfig: string | undefined;
}

/** @returns the files that were written. @throws the file system's error, naming the file */
export function install(
  { binDir, confDir, confName, name, kubeconfig }: Places,
  contents: Contents,
): string[] {
  const written: string[] = [];
  const put = (path: string, content: Buffer, mode: number): void => {
    if (place(path, content, mode)) written.push(path);
  };
  put(join(binDir, name + FALLBACK), Buffer.from(fallback()), 0o755);
  put(join(binDir, name), readFileSync(join(SOURCE, 'poplin')), 0o755);
  if (contents.kubeconfig !== undefined) put(kubeconfig, Buffer.from(contents.kubeconfig), 0o600);
  put(join(confDir, confName), Buffer.from(contents.conflist), 0o600);
  return written;
}

/** Only what is ours. @returns the files that were taken away */
export function uninstall({ binDir, confDir, confName, name, kubeconfig }: Places): string[] {
  const taken: string[] = [];
  const take = (path: string, isOurs: (content: Buffer) => boolean): void => {
    if (takeAway(path, isOurs)) taken.push(path);
  };
  take(join(confDir, confName), (content) => names(content, name));
  take(kubeconfig, (content) => content.includes('"name": "poplin"'));
  take(join(binDir, name), (content) => content.includes(GREETING));
  take(join(binDir, name + FALLBACK), (content) => content.includes(SIGNATURE));
  return taken;
}

function names(content: Buffer, type: string): boolean {
  try {
    const list = JSON.parse(content.toString()) as {
      readonly plugins?: readonly { readonly type?: unknown }[];
    };
    return list.plugins?.some((plugin) => plugin.type === type) === true;
  } catch {
    return false;
  }
}

/** The program itself stays where Poplin is: it needs the rest of it. */
function fallback(): string {
  return `#!/bin/sh\n${SIGNATURE}\nexec ${quote(join(SOURCE, 'poplin-node'))} "$@"\n`;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
