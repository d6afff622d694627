/**
 * containerlab's topology file (https://containerlab.dev/manual/topo-def-file/), as far as a lab of network
 * namespaces can honour it. Keys of containerlab that only make sense for containers (images to pull, memory,
 * published ports, certificates) are accepted and named in {@link CONTAINER_ONLY}, so that one file serves both;
 * anything else is refused, because a misspelt key that is silently ignored is the worst kind of typo.
 */
import { z } from 'zod';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const scalars = z.record(z.string(), scalar);

/** Keys of a node that take effect here. */
const effective = {
  kind: z.string(),
  image: z.string(),
  group: z.string(),
  'startup-config': z.string().min(1),
  'startup-delay': z.number().int().min(0),
  exec: z.array(z.string().min(1)),
  binds: z.array(z.string().min(1)),
  env: scalars,
  cmd: z.string(),
  entrypoint: z.string(),
  labels: scalars,
};

/** Keys of a node that containerlab knows and that have no meaning for a network namespace. */
export const CONTAINER_ONLY: readonly string[] = [
  'SANs',
  'aliases',
  'auto-remove',
  'cap-add',
  'certificate',
  'components',
  'config',
  'cpu',
  'cpu-set',
  'credentials',
  'devices',
  'dns',
  'enforce-startup-config',
  'env-files',
  'extras',
  'healthcheck',
  'image-pull-policy',
  'kernel',
  'license',
  'memory',
  'mgmt-ipv4',
  'mgmt-ipv6',
  'mgmt_ipv4',
  'mgmt_ipv6',
  'network-mode',
  'ports',
  'position',
  'publish',
  'restart-policy',
  'runtime',
  'sandbox',
  'shm-size',
  'stages',
  'suppress-startup-config',
  'sysctls',
  'type',
  'user',
  'wait-for',
];

export const nodeSchema = z
  .strictObject({ ...effective, ...Object.fromEntries(CONTAINER_ONLY.map((key) => [key, z.unknown()])) })
  .partial();

/** The brief form, two `node:interface` texts, with what containerlab allows beside it. */
const linkSchema = z.strictObject({
  endpoints: z.array(z.string()).length(2, 'a link joins exactly two endpoints'),
  mtu: z.number().int().min(68).max(65_535).optional(),
  labels: scalars.optional(),
  vars: z.record(z.string(), z.unknown()).optional(),
});

export const topologySchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$/, {
    error: 'must begin with a letter or digit and hold only letters, digits, ".", "_" and "-", at most 41',
  }),
  prefix: z.string().optional(),
  mgmt: z.unknown().optional(),
  settings: z.unknown().optional(),
  topology: z.strictObject({
    defaults: nodeSchema.optional(),
    kinds: z.record(z.string(), nodeSchema.nullable()).optional(),
    groups: z.record(z.string(), nodeSchema.nullable()).optional(),
    nodes: z.record(z.string(), nodeSchema.nullable()),
    links: z.array(linkSchema).optional(),
  }),
});

export type TopologyFile = z.infer<typeof topologySchema>;
export type NodeSettings = {
  readonly [K in keyof typeof effective]?: z.infer<(typeof effective)[K]> | undefined;
};
