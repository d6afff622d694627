/**
 * Where Calico keeps what in etcd, both ways. Pure.
 *
 * Kinds that Calico does not keep in etcd get a folder of their own below the prefix, so that no tool of Calico's ever
 * meets them: `poplin/v1/<kind>/<namespace or empty>/<name>`. Objects of Kubernetes are among them: Calico has them in
 * Kubernetes alone, or as copies that its controllers make (`knp.default.<name>`).
 */
import { API_VERSION, type KindInfo, kindInfo } from '../../api/index.ts';
import type { Key, Selection } from '../store.ts';

export const DEFAULT_PREFIX = '/calico';

const RESOURCES = 'resources/v3/projectcalico.org';
const IPAM = 'ipam/v2';
const OTHERS = 'poplin/v1';

/** Owner of a block affinity in a scope: `host:<node>`, `virtual:<name>`. */
const OWNER = /^(host|virtual):(.+)$/s;

/** @throws RangeError when the key has a scope that its kind has not, or lacks one */
export function pathOf(prefix: string, key: Key): string {
  return `${prefix}/${relativePath(key)}`;
}

function relativePath({ kind, scope, name }: Key): string {
  switch (kind) {
    case 'IPAMBlock':
      return `${IPAM}/assignment/ip${version(name)}/block/${cidrSegment(name)}`;
    case 'BlockAffinity': {
      const [, type = '', owner = ''] = OWNER.exec(scope) ?? [];
      if (type === '') throw misplaced({ kind, scope, name });
      return `${IPAM}/${type}/${escape(owner)}/ip${version(name)}/block/${cidrSegment(name)}`;
    }
    case 'IPAMHandle':
      return `${IPAM}/handle/${escape(name)}`;
    case 'IPAMConfig':
      if (name !== 'default') throw misplaced({ kind, scope, name });
      return `${IPAM}/config`;
    default: {
      const info = kindInfo(kind);
      if (!isCalicos(info, kind)) return `${OTHERS}/${escape(kind)}/${escape(scope)}/${escape(name)}`;
      if (info.namespaced !== (scope !== '')) throw misplaced({ kind, scope, name });
      return [RESOURCES, info.plural, ...(info.namespaced ? [escape(scope)] : []), escape(name)].join('/');
    }
  }
}

function isCalicos(info: KindInfo | undefined, kind: string): info is KindInfo {
  return info?.kind === kind && info.written.apiVersion === API_VERSION;
}

function misplaced(key: Key): RangeError {
  return new RangeError(`${JSON.stringify(key)} has no place in etcd: the scope does not fit the kind`);
}

/** Undefined for what is not an object of the store: status, flags and legacy records. */
export function keyAt(prefix: string, path: string): Key | undefined {
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const [first, second, third, ...rest] = path.slice(prefix.length + 1).split('/');
  const folder = `${first}/${second}`;
  if (`${folder}/${third}` === RESOURCES) return resourceAt(rest);
  if (third === undefined) return undefined;
  if (folder === IPAM) return ipamAt(third, rest);
  if (folder === OTHERS && rest.length === 2) {
    const [kind, scope, name] = [third, ...rest].map(unescape);
    return { kind: kind ?? '', scope: scope ?? '', name: name ?? '' };
  }
  return undefined;
}

function resourceAt([plural = '', ...names]: readonly string[]): Key | undefined {
  const info = kindInfo(plural);
  if (!isCalicos(info, info?.kind ?? '')) return undefined;
  if (info.plural !== plural || names.length !== (info.namespaced ? 2 : 1)) return undefined;
  const scope = info.namespaced ? unescape(names[0] ?? '') : '';
  return { kind: info.kind, scope, name: unescape(names.at(-1) ?? '') };
}

function ipamAt(folder: string, rest: readonly string[]): Key | undefined {
  const [a = '', , c, d] = rest;
  switch (folder) {
    case 'config':
      return rest.length === 0 ? { kind: 'IPAMConfig', scope: '', name: 'default' } : undefined;
    case 'handle':
      return rest.length === 1 ? { kind: 'IPAMHandle', scope: '', name: unescape(a) } : undefined;
    case 'assignment':
      return rest.length === 3 ? { kind: 'IPAMBlock', scope: '', name: cidrAt(c ?? '') } : undefined;
    case 'host':
    case 'virtual':
      // A host record without anything behind it is an empty object of old.
      if (rest.length !== 4) return undefined;
      return { kind: 'BlockAffinity', scope: `${folder}:${unescape(a)}`, name: cidrAt(d ?? '') };
    default:
      return undefined;
  }
}

/** Folders that together hold everything the selection may match, and maybe more; each ends in `/` or is one key. */
export function foldersOf(prefix: string, { kind, scope }: Selection): readonly string[] {
  return relativeFolders(kind, scope).map((folder) => `${prefix}/${folder}`);
}

function relativeFolders(kind: string, scope: string | undefined): readonly string[] {
  const others = `${OTHERS}/${escape(kind)}/`;
  switch (kind) {
    case 'IPAMBlock':
      return [`${IPAM}/assignment/`];
    case 'BlockAffinity': {
      const [, type = '', owner = ''] = OWNER.exec(scope ?? '') ?? [];
      return type === '' ? [`${IPAM}/host/`, `${IPAM}/virtual/`] : [`${IPAM}/${type}/${escape(owner)}/`];
    }
    case 'IPAMHandle':
      return [`${IPAM}/handle/`];
    case 'IPAMConfig':
      return [`${IPAM}/config`];
    default: {
      const info = kindInfo(kind);
      if (!isCalicos(info, kind)) return [others];
      const folder = `${RESOURCES}/${info.plural}/`;
      return [info.namespaced && scope !== undefined ? `${folder}${escape(scope)}/` : folder];
    }
  }
}

/** As Calico does inside a segment. */
function escape(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('/', '%2f');
}

function unescape(segment: string): string {
  return segment.replaceAll('%2f', '/').replaceAll('%25', '%');
}

function version(cidr: string): 'v4' | 'v6' {
  return cidr.includes(':') ? 'v6' : 'v4';
}

function cidrSegment(cidr: string): string {
  return escape(cidr.replace(/\/(\d+)$/, '-$1'));
}

function cidrAt(segment: string): string {
  return unescape(segment).replace(/-(\d+)$/, '/$1');
}
