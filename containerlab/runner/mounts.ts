/** Prepares what a node sees instead of the machine's own folders, and tells init in one file. */
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import type { Bind, LabNode } from '../topology/topology.ts';
import { nodeLabDir, nodeRunDir } from './paths.ts';
import { ROLES } from './roles.ts';

/** @returns path of the file that lists the mounts, in the order in which to make them */
export function prepareMounts(lab: string, node: LabNode): string {
  const role = ROLES[node.role];
  const folder = nodeLabDir(lab, node.name);
  const owner = role.owner === undefined ? undefined : account(role.owner);
  const own = (path: string): void => {
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  };
  mkdirSync(folder, { recursive: true });
  // A run directory is what tells a Poplin node from a router, to `poplin node status` for one.
  if (node.role === 'poplin') mkdirSync(nodeRunDir(lab, node.name), { recursive: true });

  const folders = role.privateFolders.map((target): Bind => {
    const source = join(folder, 'fs', target);
    mkdirSync(source, { recursive: true });
    own(source);
    return { source, target, readOnly: false };
  });
  const privately = (target: string): string | undefined => {
    const parent = folders.find((bind) => target.startsWith(`${bind.target}/`));
    return parent === undefined ? undefined : join(parent.source, target.slice(parent.target.length));
  };

  for (const [target, text] of Object.entries(role.files ?? {})) {
    const place = privately(target);
    if (place === undefined) throw new Error(`${target} is not in a private folder of its role`);
    writeFileSync(place, text);
    own(place);
  }
  const startup = role.startupConfig === undefined ? undefined : privately(role.startupConfig);
  if (node.startupConfig !== undefined && startup !== undefined) {
    copyFileSync(node.startupConfig, startup);
    own(startup);
  }
  for (const bind of node.binds) ensureTarget(node.name, bind, privately(bind.target), own);
  // The machine may not have run this router yet, so the folders that are hidden may not be there to hide.
  for (const { target } of folders) mkdirSync(target, { recursive: true });

  const file = join(folder, 'mounts');
  rmSync(`${file}.done`, { force: true });
  const lines = [...folders, ...node.binds].map(
    ({ source, target, readOnly }) => `${readOnly ? 'ro' : 'rw'}\t${source}\t${target}\n`,
  );
  writeFileSync(file, lines.join(''));
  return file;
}

/** A bind mount needs something to sit on. Inside the node's own folders it is made; elsewhere it must be there. */
function ensureTarget(
  node: string,
  bind: Bind,
  inPrivate: string | undefined,
  own: (path: string) => void,
): void {
  if (inPrivate === undefined) {
    if (existsSync(bind.target)) return;
    throw new PoplinError([
      {
        code: 'BIND_TARGET_MISSING',
        resource: node,
        value: bind.target,
        what: `the bind on ${bind.target} has nothing to sit on: this machine has no such path`,
        remedy: 'bind on a path that exists, or into the configuration folder of the router',
      },
    ]);
  }
  if (existsSync(inPrivate)) return;
  mkdirSync(dirname(inPrivate), { recursive: true });
  if (statSync(bind.source).isDirectory()) mkdirSync(inPrivate);
  else writeFileSync(inPrivate, '');
  own(inPrivate);
}

/** Node has no getpwnam(3); the routers' accounts are local ones. */
function account(name: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined)
    throw new PoplinError([
      {
        code: 'ACCOUNT_MISSING',
        value: name,
        what: `this machine has no account "${name}"`,
        remedy: 'install the router with: npm run setup',
      },
    ]);
  return { uid: Number(uid), gid: Number(gid) };
}
