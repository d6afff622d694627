/**
 * IPAM's objects as Calico keeps them in custom resources, both ways. Pure. In memory they have the form that they have in
 * etcd; here field names differ, and what the key says there stands in the spec. Fields that are not known stay.
 *
 * An object with `deleted: true` is gone: Calico marks before it deletes.
 */
import type { Key } from '../store.ts';
import { affinityName, cidrName, handleName, hostnameHash } from './names.ts';
import type { KubernetesObject, NativeEntry } from './native/native.ts';
import { CALICO_VERSION } from './resource-values.ts';

type Loose = Readonly<Record<string, unknown>>;

export interface IpamForm {
  readonly kind: string;
  readonly plural: string;
  readonly objectKind: string;
  /** Whether the scope fits the kind. */
  hasPlace(key: Key): boolean;
  nameOf(key: Key): string;
  /** Which together select all objects of a scope. */
  labelSelectorsOf?(this: void, scope: string): readonly string[];
  encode(key: Key, value: unknown): object;
  /** Undefined when it is marked as deleted, or makes no sense. */
  decode(object: KubernetesObject): NativeEntry | undefined;
}

const OWNER = /^(host|virtual):(.+)$/s;
const HASH = 'projectcalico.org/hostname-hash';

/** Names in etcd and in custom resources. */
const BLOCK_FIELDS = [['affinity_claim_time', 'affinityClaimTime']] as const;
const CONFIG_FIELDS = [
  ['strict_affinity', 'strictAffinity'],
  ['auto_allocate_blocks', 'autoAllocateBlocks'],
] as const;

const block: IpamForm = {
  kind: 'IPAMBlock',
  plural: 'ipamblocks',
  objectKind: 'IPAMBlock',
  hasPlace: isUnscoped,
  nameOf: ({ name }) => cidrName(name),
  encode({ name }, value) {
    const { deleted = false, ...spec } = renamed(value, BLOCK_FIELDS, 0);
    // Calico's own definition demands strictAffinity, which means nothing any more.
    return object('IPAMBlock', cidrName(name), { ...spec, deleted, strictAffinity: false });
  },
  decode({ spec }) {
    const { strictAffinity: _strict, ...value } = renamed(spec, BLOCK_FIELDS, 1);
    if (isMarked(value) || typeof value['cidr'] !== 'string') return undefined;
    return { key: { kind: 'IPAMBlock', scope: '', name: value['cidr'] }, value };
  },
};

const affinity: IpamForm = {
  kind: 'BlockAffinity',
  plural: 'blockaffinities',
  objectKind: 'BlockAffinity',
  hasPlace: ({ scope }) => OWNER.test(scope),
  nameOf: ({ scope, name }) => affinityName(OWNER.exec(scope)?.[2] ?? '', name),
  // Older releases of Calico wrote affinities without the label.
  labelSelectorsOf: (scope) => [`${HASH}=${hostnameHash(OWNER.exec(scope)?.[2] ?? '')}`, `!${HASH}`],
  encode({ scope, name }, value) {
    const [, type = 'host', node = ''] = OWNER.exec(scope) ?? [];
    const { deleted = false, ...spec } = loose(value);
    return object(
      'BlockAffinity',
      affinityName(node, name),
      { ...spec, deleted: String(deleted), node, type, cidr: name },
      {
        'projectcalico.org/affinity-type': type,
        [HASH]: hostnameHash(node),
        'projectcalico.org/ip-version': name.includes(':') ? '6' : '4',
      },
    );
  },
  decode({ spec }) {
    const { node, type, cidr, deleted = 'false', ...value } = loose(spec);
    const isDeleted = String(deleted) === 'true';
    if (isDeleted || typeof node !== 'string' || typeof cidr !== 'string') return undefined;
    // Before there were others, all owners were hosts, and nothing said so.
    const owner = `${typeof type === 'string' && type !== '' ? type : 'host'}:${node}`;
    return { key: { kind: 'BlockAffinity', scope: owner, name: cidr }, value: { ...value, deleted: false } };
  },
};

const handle: IpamForm = {
  kind: 'IPAMHandle',
  plural: 'ipamhandles',
  objectKind: 'IPAMHandle',
  hasPlace: isUnscoped,
  nameOf: ({ name }) => handleName(name),
  encode({ name }, value) {
    const { deleted = false, ...spec } = loose(value);
    return object('IPAMHandle', handleName(name), { ...spec, handleID: name, deleted });
  },
  decode({ spec }) {
    const { handleID, ...value } = loose(spec);
    if (isMarked(value) || typeof handleID !== 'string') return undefined;
    return { key: { kind: 'IPAMHandle', scope: '', name: handleID }, value };
  },
};

const config: IpamForm = {
  kind: 'IPAMConfig',
  plural: 'ipamconfigs',
  objectKind: 'IPAMConfig',
  hasPlace: (key) => isUnscoped(key) && key.name === 'default',
  nameOf: ({ name }) => name,
  encode({ name }, value) {
    const spec = { strictAffinity: false, autoAllocateBlocks: false, ...renamed(value, CONFIG_FIELDS, 0) };
    return object('IPAMConfig', name, spec);
  },
  decode({ metadata, spec }) {
    return {
      key: { kind: 'IPAMConfig', scope: '', name: metadata.name },
      value: renamed(spec, CONFIG_FIELDS, 1),
    };
  },
};

export const IPAM_FORMS: readonly IpamForm[] = [block, affinity, handle, config];

function isUnscoped({ scope }: Key): boolean {
  return scope === '';
}

function isMarked({ deleted }: Loose): boolean {
  return deleted === true || deleted === 'true';
}

function object(kind: string, name: string, spec: Loose, labels?: Loose): object {
  return {
    apiVersion: CALICO_VERSION,
    kind,
    metadata: { name, ...(labels === undefined ? {} : { labels }) },
    spec,
  };
}

/** @param from  0: from etcd's names, 1: to them */
function renamed(value: unknown, names: readonly (readonly [string, string])[], from: 0 | 1): Loose {
  const to = from === 0 ? 1 : 0;
  const table = new Map(names.map((pair) => [pair[from], pair[to]]));
  return Object.fromEntries(
    Object.entries(loose(value)).map(([name, member]) => [table.get(name) ?? name, member]),
  );
}

function loose(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}
