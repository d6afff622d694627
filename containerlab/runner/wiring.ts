/** Namespaces and the veth pairs between them. Both are only added where they are missing. */
import { CommandError, createNamespace, listNamespaces, namespacePath, run } from '../../net/kernel/index.ts';
import { type Link, type LinkEnd, namespaceName } from '../topology/topology.ts';

/** Makes the namespaces that are missing, loopback up. @returns the names that were made */
export async function ensureNamespaces(names: readonly string[]): Promise<string[]> {
  const present = new Set(listNamespaces());
  const missing = names.filter((name) => !present.has(name));
  for (const name of missing) createNamespace(name);
  await Promise.all(
    missing.map((name) => run('ip', ['link', 'set', 'lo', 'up'], { netns: namespacePath(name) })),
  );
  return missing;
}

/**
 * Makes the links that are missing, both ends up. A link of which one end is gone is gone as a whole: the kernel
 * keeps no half veth pair.
 * @returns the nodes that got an interface
 */
export async function ensureLinks(lab: string, links: readonly Link[]): Promise<Set<string>> {
  const ends = links.flatMap((link) => link.ends);
  const present = await interfacesOf(lab, new Set(ends.map((end) => end.node)));
  const missing = links.filter(({ ends }) => ends.some((end) => !present.has(endText(end))));
  if (missing.length === 0) return new Set();
  // A namespace that was removed takes its ends with it, but the kernel does so a moment later.
  await Promise.all(
    missing
      .flatMap(({ ends }) => ends.filter((end) => present.has(endText(end))))
      .map((end) => removeEnd(lab, end)),
  );
  await run('ip', ['-batch', '-'], { stdin: missing.map((link) => addCommand(lab, link)).join('') });
  const touched = missing.flatMap((link) => link.ends);
  await Promise.all(
    [...Map.groupBy(touched, (end) => end.node)].map(([node, own]) =>
      run('ip', ['-batch', '-'], {
        netns: namespacePath(namespaceName(lab, node)),
        stdin: own.map((end) => `link set ${end.interface} up\n`).join(''),
      }),
    ),
  );
  return new Set(touched.map((end) => end.node));
}

function addCommand(lab: string, { ends: [left, right], mtu }: Link): string {
  const end = ({ node, interface: device }: LinkEnd): string =>
    `name ${device} mtu ${mtu} netns ${namespaceName(lab, node)}`;
  return `link add ${end(left)} type veth peer ${end(right)}\n`;
}

async function removeEnd(lab: string, { node, interface: device }: LinkEnd): Promise<void> {
  try {
    await run('ip', ['link', 'delete', device], { netns: namespacePath(namespaceName(lab, node)) });
  } catch (error) {
    if (!(error instanceof CommandError && /Cannot find device/.test(error.stderr))) throw error;
  }
}

async function interfacesOf(lab: string, nodes: ReadonlySet<string>): Promise<Set<string>> {
  const lists = await Promise.all(
    [...nodes].map(async (node) => {
      const { stdout } = await run('ip', ['-json', 'link', 'show'], {
        netns: namespacePath(namespaceName(lab, node)),
      });
      return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) =>
        endText({ node, interface: ifname }),
      );
    }),
  );
  return new Set(lists.flat());
}

function endText(end: LinkEnd): string {
  return `${end.node}:${end.interface}`;
}
