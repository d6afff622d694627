/**
 * The result of an ADD, in the newest shape inside, in the caller's version outside.
 * prevResult comes back in through the same door, so chained plugins lose nothing on the way.
 */
import { z } from 'zod';
import { type Checked, CniCode, refuse } from './error.ts';
import { type CniVersion, olderThan } from './version.ts';

const interfaceSchema = z.looseObject({
  name: z.string(),
  mac: z.string().optional(),
  mtu: z.number().int().optional(),
  sandbox: z.string().optional(),
  socketPath: z.string().optional(),
  pciID: z.string().optional(),
});

const ipSchema = z.looseObject({
  address: z.string(),
  gateway: z.string().optional(),
  interface: z.number().int().nonnegative().optional(),
});

const routeSchema = z.looseObject({
  dst: z.string(),
  gw: z.string().optional(),
  mtu: z.number().int().optional(),
  advmss: z.number().int().optional(),
  priority: z.number().int().optional(),
  table: z.number().int().optional(),
  scope: z.number().int().optional(),
});

const dnsSchema = z.looseObject({
  nameservers: z.array(z.string()).optional(),
  domain: z.string().optional(),
  search: z.array(z.string()).optional(),
  options: z.array(z.string()).optional(),
});

/** Go programs write `null` for an empty list; that and absence mean the same. */
function list<T extends z.ZodType>(item: T): z.ZodType<z.infer<T>[]> {
  return z
    .array(item)
    .nullish()
    .transform((value) => value ?? []) as z.ZodType<z.infer<T>[]>;
}

const resultSchema = z.looseObject({
  interfaces: list(interfaceSchema),
  ips: list(ipSchema),
  routes: list(routeSchema),
  dns: dnsSchema.nullish().transform((value) => value ?? {}),
});

export type CniInterface = z.infer<typeof interfaceSchema>;
/** `address` has its prefix length; `interface` is an index into `interfaces`. */
export type CniIp = z.infer<typeof ipSchema>;
export type CniRoute = z.infer<typeof routeSchema>;
export type CniDns = z.infer<typeof dnsSchema>;

export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

/** Reads a `prevResult` of any version spoken here. */
export function decodeResult(value: unknown): Checked<CniResult> {
  const parsed = resultSchema.safeParse(value);
  if (parsed.success) {
    const { interfaces, ips, routes, dns } = parsed.data;
    const lost = ips.find((ip) => ip.interface !== undefined && ip.interface >= interfaces.length);
    if (lost === undefined) return { ok: true, value: { interfaces, ips, routes, dns } };
    return refuse(
      CniCode.invalidConfiguration,
      `prevResult.ips has ${lost.address} on interface ${lost.interface}, but prevResult.interfaces has ${interfaces.length} entries`,
    );
  }
  const issue = parsed.error.issues[0];
  const field = ['prevResult', ...(issue?.path ?? [])].join('.');
  return refuse(
    CniCode.invalidConfiguration,
    `${field}: ${issue?.message ?? 'does not read as a CNI result'}`,
  );
}

const NEW_IN_1_1: { readonly interface: readonly string[]; readonly route: readonly string[] } = {
  interface: ['mtu', 'socketPath', 'pciID'],
  route: ['mtu', 'advmss', 'priority', 'table', 'scope'],
};

/** The document for stdout: keys that are younger than `version` are left out, those that it still wants are put in. */
export function encodeResult(result: CniResult, version: CniVersion): object {
  const old = olderThan(version, '1.1.0');
  const { interfaces, ips, routes, dns } = result;
  return {
    cniVersion: version,
    interfaces: interfaces.map((one) => (old ? without(one, NEW_IN_1_1.interface) : one)),
    ips: ips.map((ip) =>
      olderThan(version, '1.0.0') ? { version: ipVersion(ip), ...ip } : without(ip, ['version']),
    ),
    routes: routes.map((route) => (old ? without(route, NEW_IN_1_1.route) : route)),
    dns,
  };
}

/** What earlier plugins of the chain made stays in front; our interface indexes move behind theirs. */
export function appendResult(previous: CniResult | undefined, ours: CniResult): CniResult {
  if (previous === undefined) return ours;
  const shift = previous.interfaces.length;
  return {
    interfaces: [...previous.interfaces, ...ours.interfaces],
    ips: [
      ...previous.ips,
      ...ours.ips.map((ip) => (ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift })),
    ],
    routes: [...previous.routes, ...ours.routes],
    dns: { ...ours.dns, ...previous.dns },
  };
}

function ipVersion(ip: CniIp): '4' | '6' {
  return ip.address.includes(':') ? '6' : '4';
}

function without(value: Readonly<Record<string, unknown>>, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}
