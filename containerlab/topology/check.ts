/** What a schema cannot say: names that must exist, interfaces that may be used once, files that must be there. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import { settingsOf } from './inherit.ts';
import { nearest } from './issues.ts';
import type { FieldPath, Locator } from './problems.ts';
import type { NodeSettings, TopologyFile } from './schema.ts';
import { type Bind, DEFAULT_LINK_MTU, type LabNode, type Link, type LinkEnd, type Role } from './topology.ts';
import { splitWords } from './words.ts';

/** A name becomes part of a namespace's name and a folder's. */
const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$/;
/** Linux: 1 to 15 bytes, no slash, no white space; a colon ends it in an endpoint. */
const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

export function checkNodes(file: TopologyFile, path: string, where: Locator): Result<LabNode[]> {
  const problems: Problem[] = [];
  const nodes = Object.keys(file.topology.nodes).map((name) =>
    checkNode(name, settingsOf(file, name), dirname(path), where, problems),
  );
  if (nodes.length === 0)
    problems.push(where.problem(['topology', 'nodes'], {}, 'is empty', 'name at least one node'));
  return problems.length > 0 ? fail(...problems) : ok(nodes);
}

function checkNode(
  name: string,
  settings: NodeSettings,
  folder: string,
  where: Locator,
  problems: Problem[],
): LabNode {
  const path: FieldPath = ['topology', 'nodes', name];
  const complain = (key: string, value: unknown, what: string, remedy: string): void => {
    problems.push(where.problem([...path, key], value, what, remedy));
  };
  if (!NODE_NAME.test(name))
    problems.push(
      where.problem(
        path,
        name,
        `"${name}" cannot name a node`,
        'use letters, digits, ".", "_" and "-", at most 41',
      ),
    );
  if (settings.kind !== 'linux')
    complain(
      'kind',
      settings.kind,
      settings.kind === undefined
        ? 'has no kind, neither of its own nor from topology.defaults'
        : `the kind "${settings.kind}" needs its vendor's container`,
      settings.kind === undefined
        ? 'write `kind: linux`'
        : 'write `kind: linux` with an image of BIRD, FRR or Poplin, or run this file with containerlab itself',
    );
  const startupConfig = locate(settings['startup-config'], folder, name);
  if (startupConfig !== undefined && !existsSync(startupConfig))
    complain(
      'startup-config',
      settings['startup-config'],
      `there is no file ${startupConfig}`,
      'create it, or mend the path',
    );
  return {
    name,
    role: roleOf(settings.image),
    image: settings.image,
    startupConfig,
    startupDelaySeconds: settings['startup-delay'] ?? 0,
    binds: (settings.binds ?? []).flatMap((text) => checkBind(text, folder, name, complain)),
    exec: (settings.exec ?? []).flatMap((text) => checkWords('exec', text, complain)),
    env: texts(settings.env),
    command: [settings.entrypoint, settings.cmd]
      .flatMap((text) => (text === undefined ? [] : checkWords('cmd', text, complain)))
      .reduce<readonly string[] | undefined>((all, words) => [...(all ?? []), ...words], undefined),
    labels: texts(settings.labels),
  };
}

type Complain = (key: string, value: unknown, what: string, remedy: string) => void;

function checkWords(key: string, text: string, complain: Complain): string[][] {
  const words = splitWords(text);
  if (words.ok) return words.value.length > 0 ? [words.value] : [];
  for (const problem of words.problems) complain(key, text, problem.what, problem.remedy);
  return [];
}

function checkBind(text: string, folder: string, node: string, complain: Complain): Bind[] {
  const [from, target, options, ...rest] = text.split(':');
  const source = locate(from, folder, node);
  if (source === undefined || target === undefined || !isAbsolute(target) || rest.length > 0) {
    complain(
      'binds',
      text,
      `"${text}" is not a bind`,
      'write SOURCE:/ABSOLUTE/TARGET, with :ro for read-only',
    );
    return [];
  }
  if (!existsSync(source)) {
    complain('binds', text, `there is no file or folder ${source}`, 'create it, or mend the path');
    return [];
  }
  return [{ source, target, readOnly: options?.split(',').includes('ro') ?? false }];
}

/** Relative paths begin at the topology file; `__clabNodeName__` stands for the node, as in containerlab. */
function locate(path: string | undefined, folder: string, node: string): string | undefined {
  return path === undefined || path === ''
    ? undefined
    : resolve(folder, path.replaceAll('__clabNodeName__', node));
}

function roleOf(image: string | undefined): Role {
  const repository = (image ?? '').replace(/:[^/]*$/, '');
  return (['bird', 'frr', 'poplin'] as const).find((role) => lastWords(repository).includes(role)) ?? 'linux';
}

/** `quay.io/frrouting/frr` -> frr; `poplin/bird` is BIRD, `poplin/node` is Poplin: the last word that decides, decides. */
function lastWords(repository: string): string {
  const parts = repository.toLowerCase().split('/');
  const image = parts.at(-1) ?? '';
  return /bird|frr|poplin/.test(image) ? image : parts.slice(-2).join('/');
}

function texts(map: Readonly<Record<string, string | number | boolean>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(map ?? {}).map(([key, value]) => [key, String(value)]));
}

export function checkLinks(file: TopologyFile, where: Locator): Result<Link[]> {
  const names = Object.keys(file.topology.nodes);
  const problems: Problem[] = [];
  const used = new Map<string, string>();
  const links: Link[] = [];
  for (const [index, { endpoints, mtu }] of (file.topology.links ?? []).entries()) {
    const ends = endpoints.map((text, side): LinkEnd | undefined => {
      const path = ['topology', 'links', index, 'endpoints', side] as const;
      const end = checkEndpoint(text, names, path, where, problems);
      if (end === undefined) return undefined;
      const earlier = used.get(text);
      if (earlier !== undefined)
        problems.push(
          where.problem(
            path,
            text,
            `the interface "${text}" is already used by ${earlier}`,
            'give each end its own interface',
          ),
        );
      used.set(text, `topology.links[${index}]`);
      return end;
    });
    const [left, right] = ends;
    if (left !== undefined && right !== undefined)
      links.push({ ends: [left, right], mtu: mtu ?? DEFAULT_LINK_MTU });
  }
  return problems.length > 0 ? fail(...problems) : ok(links);
}

function checkEndpoint(
  text: string,
  names: readonly string[],
  path: FieldPath,
  where: Locator,
  problems: Problem[],
): LinkEnd | undefined {
  const [node, device, ...rest] = text.split(':');
  if (node === undefined || device === undefined || rest.length > 0 || !INTERFACE_NAME.test(device)) {
    problems.push(
      where.problem(
        path,
        text,
        `"${text}" is not an endpoint`,
        'write NODE:INTERFACE, the interface at most 15 characters',
      ),
    );
    return undefined;
  }
  if (!names.includes(node)) {
    const near = nearest(node, names);
    const hint =
      near === undefined ? `one of ${names.join(', ')}` : `"${near}", or one of ${names.join(', ')}`;
    problems.push(
      where.problem(
        path,
        text,
        `"${text}" names the node "${node}", which topology.nodes does not have`,
        ['host', 'mgmt-net', 'macvlan'].includes(node)
          ? 'links to the machine itself exist only under containerlab proper; join two nodes'
          : `name ${hint}`,
      ),
    );
    return undefined;
  }
  return { node, interface: device };
}
