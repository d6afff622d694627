/**
 * The custom resource definitions that this engine needs, from our own schemas: `deploy/crds.yaml`. Pure.
 *
 * They say which fields there are and of what type, for `kubectl explain` and against slips; what a field may hold is checked
 * by those who write, as in Calico. Fields that we do not know are kept: a newer Calico may have written them. There are no
 * defaults and nothing is required, so that what is read is what was written, by whomever.
 */
import { z } from 'zod';
import { type KindInfo, KINDS } from '../../api/index.ts';
import { CALICO_GROUP } from './resource-values.ts';
import { isCustom } from './resources.ts';
import { OWN_GROUP, OWN_KIND } from './stored-object.ts';

interface Json {
  readonly [field: string]: unknown;
}

interface Names {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const KEEP = { 'x-kubernetes-preserve-unknown-fields': true } as const;
const STRING = { type: 'string' } as const;
const BOOLEAN = { type: 'boolean' } as const;
const INTEGER = { type: 'integer', format: 'int64' } as const;

export function customResourceDefinitions(): readonly object[] {
  const custom = KINDS.filter(isCustom);
  const definitions = [
    ...custom.map((info) => definition({ group: CALICO_GROUP, ...info }, propertiesOf(info))),
    ...IPAM.map(({ kind, plural, spec }) =>
      definition({ group: CALICO_GROUP, kind, plural, namespaced: false }, { spec: object(spec) }),
    ),
    definition(
      { group: OWN_GROUP, kind: OWN_KIND, plural: 'storedobjects', namespaced: false },
      { spec: object({ kind: STRING, scope: STRING, name: STRING, value: STRING, write: STRING }) },
    ),
  ];
  return definitions.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function definition({ group, kind, plural, namespaced }: Names, properties: Json) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      preserveUnknownFields: false,
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                apiVersion: STRING,
                kind: STRING,
                metadata: { type: 'object' },
                ...properties,
              },
              ...KEEP,
            },
          },
        },
      ],
    },
  };
}

function propertiesOf({ schema }: KindInfo): Json {
  const { properties = {} } = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    unrepresentable: 'any',
  }) as Json & { readonly properties?: Json };
  const { spec, status } = properties;
  return {
    ...(spec === undefined ? {} : { spec: structural(spec) }),
    ...(status === undefined ? {} : { status: structural(status) }),
  };
}

/** A structural schema: types alone, of every node. Where a value may be of several types, any is taken. */
function structural(schema: unknown): Json {
  const { type, properties, items, additionalProperties, anyOf, oneOf } = schema as Json;
  const branches = (anyOf ?? oneOf) as readonly Json[] | undefined;
  if (branches !== undefined) return unionOf(branches);
  if (type === 'array') return { type, items: structural(items ?? {}) };
  if (type === 'object') {
    const fields = Object.entries((properties ?? {}) as Json);
    if (fields.length > 0)
      return object(Object.fromEntries(fields.map(([name, field]) => [name, structural(field)])));
    const values = typeof additionalProperties === 'object' ? structural(additionalProperties) : KEEP;
    return values === KEEP ? { type, ...KEEP } : { type, additionalProperties: values };
  }
  return typeof type === 'string' ? { type } : KEEP;
}

function unionOf(branches: readonly Json[]): Json {
  const types = new Set(branches.map(({ type }) => (type === 'integer' ? 'number' : type)));
  if (types.size === 1 && !types.has('object')) return structural(branches[0]);
  const isPort = types.size === 2 && types.has('number') && types.has('string');
  return isPort ? { 'x-kubernetes-int-or-string': true } : KEEP;
}

function object(properties: Json): Json {
  return { type: 'object', properties, ...KEEP };
}

/** What Calico's IPAM keeps, which is no kind of its API. */
const IPAM: readonly { readonly kind: string; readonly plural: string; readonly spec: Json }[] = [
  {
    kind: 'IPAMBlock',
    plural: 'ipamblocks',
    spec: {
      cidr: STRING,
      affinity: { ...STRING, nullable: true },
      affinityClaimTime: { ...STRING, format: 'date-time', nullable: true },
      allocations: { type: 'array', items: { ...INTEGER, nullable: true } },
      unallocated: { type: 'array', items: INTEGER },
      attributes: {
        type: 'array',
        items: object({
          handle_id: { ...STRING, nullable: true },
          secondary: { type: 'object', additionalProperties: STRING, nullable: true },
        }),
      },
      sequenceNumber: INTEGER,
      sequenceNumberForAllocation: { type: 'object', additionalProperties: INTEGER, nullable: true },
      deleted: BOOLEAN,
      strictAffinity: BOOLEAN,
    },
  },
  {
    kind: 'BlockAffinity',
    plural: 'blockaffinities',
    spec: { state: STRING, node: STRING, type: STRING, cidr: STRING, deleted: STRING },
  },
  {
    kind: 'IPAMHandle',
    plural: 'ipamhandles',
    spec: {
      handleID: STRING,
      block: { type: 'object', additionalProperties: INTEGER, nullable: true },
      deleted: BOOLEAN,
    },
  },
  {
    kind: 'IPAMConfig',
    plural: 'ipamconfigs',
    spec: {
      strictAffinity: BOOLEAN,
      autoAllocateBlocks: BOOLEAN,
      maxBlocksPerHost: INTEGER,
      kubeVirtVMAddressPersistence: STRING,
      ipCooldownSeconds: INTEGER,
    },
  },
];
