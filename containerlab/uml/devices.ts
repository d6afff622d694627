/** Which kinds of device a lab needs, and which of them this machine's kernel lacks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNamespace, deleteNamespace, run } from '../../net/kernel/index.ts';
import { manifestsPath } from '../expectation.ts';
import type { Topology } from '../topology/topology.ts';

/** By what asks for it, in a manifest of the lab. */
const MODES = [
  { kind: 'ipip', mode: /^\s*ipipMode:\s*['"]?(?:Always|CrossSubnet)/m },
  { kind: 'vxlan', mode: /^\s*vxlanMode:\s*['"]?(?:Always|CrossSubnet)/m },
];
const LINK_ADD = /\bip (?:-\S+ )*link add .*?\btype (\w+)/;

/** Kinds as `ip link add type` calls them. */
export function neededDevices(topology: Topology): readonly string[] {
  const commands = topology.nodes.flatMap(({ exec }) => exec.map((words) => words.join(' ')));
  const made = commands.flatMap((command) => LINK_ADD.exec(command)?.[1] ?? []);
  const folder = manifestsPath(topology.file);
  const manifests = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => /\.(?:ya?ml|json)$/.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  const asked = MODES.filter(({ mode }) => manifests.some((text) => mode.test(text))).map(({ kind }) => kind);
  return [...new Set([...made, ...asked])].sort();
}

/** Those that cannot be made here, found out in a namespace that is gone afterwards. */
export async function lackingDevices(topology: Topology): Promise<readonly string[]> {
  const needed = neededDevices(topology);
  if (needed.length === 0) return [];
  const scratch = `poplin-devices-${process.pid}`;
  const netns = createNamespace(scratch);
  try {
    const lacking: string[] = [];
    for (const kind of needed) {
      const words = await run('ip', ['link', 'add', 'probe', 'type', kind], { netns }).then(
        () => '',
        (error: unknown) => String(error),
      );
      if (/Unknown device type|not supported/i.test(words)) lacking.push(kind);
      await run('ip', ['link', 'delete', 'probe'], { netns }).catch(() => undefined);
    }
    return lacking;
  } finally {
    deleteNamespace(scratch);
  }
}
