/**
 * The network configuration as the agent reads it: Calico's keys where Calico has one, our own few beside.
 * Unknown keys are welcome (the specification lets any plugin of a chain add its own); wrong types are not.
 */
import { z } from 'zod';
import { Address, Prefix } from '../net/addr/index.ts';
import { isIdentifier } from './environment.ts';
import { type Checked, CniCode, refuse } from './error.ts';
import { type CniResult, decodeResult } from './result.ts';
import { lowerKeys } from './runtime-config.ts';
import type { JsonObject } from './stdin.ts';
import { NEWEST_VERSION, type CniVersion, isSupported } from './version.ts';

const address = z.string().refine((text) => Address.parse(text) !== undefined, 'is not an IP address');
/** `10.0.0.7` or `10.0.0.7/24`: runtimes write both; a workload's address is a host address either way. */
const addressOrCidr = z
  .string()
  .transform((text) => text.split('/')[0] ?? '')
  .pipe(address);
const cidr = z.string().refine((text) => Prefix.parse(text) !== undefined, 'is not a CIDR');
const mac = z
  .string()
  .regex(/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/, 'is not a MAC address such as 02:00:5e:10:00:01');
/** Calico writes these two as strings. */
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const mtu = z.number().int().min(0).max(65_535);

const bits = z.number().int().min(0).optional();

const attachmentSchema = z.looseObject({ containerID: z.string(), ifname: z.string() });

const schema = z.looseObject({
  name: z
    .string()
    .refine(
      isIdentifier,
      'must begin with a letter or digit and hold only letters, digits, "_", "." and "-"',
    ),
  type: z.string().optional(),
  mtu: mtu.optional(),
  ipam: z
    .looseObject({
      type: z.string().optional(),
      assign_ipv4: flag.optional(),
      assign_ipv6: flag.optional(),
      ipv4_pools: z.array(z.string()).optional(),
      ipv6_pools: z.array(z.string()).optional(),
      routes: z.array(z.looseObject({ dst: cidr })).optional(),
    })
    .optional(),
  container_settings: z.looseObject({ allow_ip_forwarding: z.boolean().optional() }).optional(),
  nodename: z.string().optional(),
  nodename_file: z.string().optional(),
  hostname: z.string().optional(),
  // Left in by every runtime, though the specification takes it out.
  capabilities: z.looseObject({ bandwidth: z.boolean().optional() }).optional(),
  dataplane_options: z.looseObject({ type: z.string().optional() }).optional(),
  readiness_gates: z.array(z.string()).optional(),
  log_level: z.string().optional(),
  log_file_path: z.string().optional(),
  log_file_max_size: z.number().int().min(0).optional(),
  log_file_max_age: z.number().int().min(0).optional(),
  log_file_max_count: z.number().int().min(0).optional(),
  include_default_routes: z.boolean().optional(),
  policy_setup_timeout_seconds: z.number().min(0).optional(),
  feature_control: z
    .looseObject({ ip_addrs_no_ipam: z.boolean().optional(), floating_ips: z.boolean().optional() })
    .optional(),
  args: z
    .looseObject({
      cni: z
        .looseObject({
          labels: z.array(z.object({ key: z.string(), value: z.string() })).optional(),
          ips: z.array(addressOrCidr).optional(),
          mac: mac.optional(),
        })
        .optional(),
    })
    .optional(),
  runtimeConfig: z
    .preprocess(
      lowerKeys,
      z.looseObject({
        ips: z.array(addressOrCidr).optional(),
        mac: mac.optional(),
        portmappings: z
          .array(
            z.looseObject({
              hostport: z.number().int().min(0).max(65_535),
              containerport: z.number().int().min(1).max(65_535),
              protocol: z.string().optional(),
              hostip: z.string().optional(),
            }),
          )
          .nullish(),
        bandwidth: z
          .looseObject({
            ingressrate: bits,
            ingressburst: bits,
            egressrate: bits,
            egressburst: bits,
          })
          .nullish(),
        // Under the key that containerd gives it.
        'io.kubernetes.cri.pod-annotations': z.record(z.string(), z.string()).nullish(),
        dns: z
          .looseObject({
            servers: z.array(z.string()).nullish(),
            searches: z.array(z.string()).nullish(),
            options: z.array(z.string()).nullish(),
          })
          .nullish(),
      }),
    )
    .optional(),
  prevResult: z.unknown().optional(),
  'cni.dev/valid-attachments': z.array(attachmentSchema).nullish(),
  'cni.dev/attachments': z.array(attachmentSchema).nullish(),
});

export interface AttachmentId {
  readonly containerId: string;
  readonly ifName: string;
}

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIP: string;
}

/** Bits a second, and bits. */
export interface Bandwidth {
  readonly ingressBandwidth?: number;
  readonly ingressBurst?: number;
  readonly egressBandwidth?: number;
  readonly egressBurst?: number;
}

export interface NetConf {
  readonly cniVersion: CniVersion;
  /** The network's name: with container id and interface name it identifies an attachment. */
  readonly name: string;
  /** Undefined or 0: follow the host's uplink. */
  readonly mtu: number | undefined;
  readonly ipam: {
    /** Who gives addresses; undefined: we do. */
    readonly type: string | undefined;
    /** `undefined`: as the pools allow. */
    readonly assignIPv4: boolean | undefined;
    readonly assignIPv6: boolean | undefined;
    /** Names or CIDRs of pools; undefined: all that fit. */
    readonly ipv4Pools: readonly string[] | undefined;
    readonly ipv6Pools: readonly string[] | undefined;
    /** What the workload reaches through us; undefined: everything. A second network of a pod gives its own list. */
    readonly routes: readonly Prefix[] | undefined;
  };
  readonly allowIpForwarding: boolean;
  /** Whose configuration this is; undefined: whoever reads it. */
  readonly nodeName: string | undefined;
  /** A file that says whose, where `nodeName` does not. */
  readonly nodeNameFile: string | undefined;
  /** URLs that must answer before a workload is attached. Unchecked, as the dataplane: DEL must not fail for them. */
  readonly readinessGates: readonly string[];
  readonly dataplane: string;
  /** The default routes beside `ipam.routes`. */
  readonly includeDefaultRoutes: boolean;
  /** How long ADD may wait for policy; undefined: as the agent is told. */
  readonly policySetupSeconds: number | undefined;
  /** The log of calls; undefined: none is wanted. Calico's names, units and defaults. */
  readonly log:
    | {
        readonly path: string;
        readonly level: 'debug' | 'info' | 'warning' | 'error';
        /** MiB, days, files. */
        readonly maxSize: number;
        readonly maxAge: number;
        readonly maxCount: number;
      }
    | undefined;
  /** What annotations of pods may ask for. */
  readonly features: { readonly ipAddrsNoIpam: boolean; readonly floatingIps: boolean };
  /** As a runtime passes them on; the Kubernetes API knows better where it can be asked. */
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Asked for, strongest source first: runtimeConfig, then args.cni, then CNI_ARGS (CNI conventions). */
  readonly requestedIps: readonly Address[];
  readonly requestedMac: string | undefined;
  readonly portMappings: readonly PortMapping[];
  /** Whether the runtime tells us of limits, and nobody else in the chain. */
  readonly shapes: boolean;
  readonly bandwidth: Bandwidth;
  readonly dns: { readonly nameservers?: string[]; readonly search?: string[]; readonly options?: string[] };
  readonly prevResult: CniResult | undefined;
  /** GC: what the runtime still knows. Undefined when the key is missing, which frees nothing. */
  readonly validAttachments: readonly AttachmentId[] | undefined;
}

/** @param args CNI_ARGS of the same call, whose IP and MAC are the weakest wish */
export function readNetConf(
  configuration: JsonObject,
  args: Readonly<Record<string, string>>,
): Checked<NetConf> {
  const parsed = schema.safeParse(configuration);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue === undefined || issue.path.length === 0 ? 'the configuration' : issue.path.join('.');
    return refuse(CniCode.invalidConfiguration, `${field}: ${issue?.message ?? 'is not valid'}`);
  }
  const conf = parsed.data;
  const ofArgs = z.object({ IP: addressOrCidr.optional(), MAC: mac.optional() }).safeParse(args);
  if (!ofArgs.success) {
    const issue = ofArgs.error.issues[0];
    return refuse(CniCode.invalidEnvironment, `CNI_ARGS ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const prevResult =
    conf.prevResult === undefined || conf.prevResult === null ? undefined : decodeResult(conf.prevResult);
  if (prevResult !== undefined && !prevResult.ok) return prevResult;

  const cni = conf.args?.cni;
  const runtime = conf.runtimeConfig;
  const ips = runtime?.ips ?? cni?.ips ?? (ofArgs.data.IP === undefined ? [] : [ofArgs.data.IP]);
  const requestedIps = ips.flatMap((text) => Address.parse(text) ?? []);
  for (const version of [4, 6]) {
    const ofFamily = requestedIps.filter((one) => one.version === version);
    if (ofFamily.length > 1) {
      return refuse(
        CniCode.invalidConfiguration,
        `${ofFamily.join(' and ')} are asked for; a workload has one IPv${version} address per interface`,
      );
    }
  }
  const attachments = conf['cni.dev/valid-attachments'] ?? conf['cni.dev/attachments'];
  const { cniVersion } = configuration;
  return {
    ok: true,
    value: {
      cniVersion: typeof cniVersion === 'string' && isSupported(cniVersion) ? cniVersion : NEWEST_VERSION,
      name: conf.name,
      mtu: conf.mtu === 0 ? undefined : conf.mtu,
      ipam: {
        type: conf.ipam?.type,
        assignIPv4: conf.ipam?.assign_ipv4,
        assignIPv6: conf.ipam?.assign_ipv6,
        ipv4Pools: conf.ipam?.ipv4_pools,
        ipv6Pools: conf.ipam?.ipv6_pools,
        routes: conf.ipam?.routes?.flatMap((route) => Prefix.parse(route.dst) ?? []),
      },
      allowIpForwarding: conf.container_settings?.allow_ip_forwarding ?? false,
      nodeName: conf.nodename || conf.hostname || undefined,
      nodeNameFile: conf.nodename_file || undefined,
      readinessGates: conf.readiness_gates ?? [],
      dataplane: conf.dataplane_options?.type ?? 'linux',
      includeDefaultRoutes: conf.include_default_routes ?? false,
      policySetupSeconds: conf.policy_setup_timeout_seconds,
      log:
        conf.log_file_path === undefined || !conf.log_file_path.startsWith('/')
          ? undefined
          : {
              path: conf.log_file_path,
              level: levelOf(conf.log_level),
              maxSize: conf.log_file_max_size ?? 100,
              maxAge: conf.log_file_max_age ?? 30,
              maxCount: conf.log_file_max_count ?? 10,
            },
      features: {
        ipAddrsNoIpam: conf.feature_control?.ip_addrs_no_ipam ?? false,
        floatingIps: conf.feature_control?.floating_ips ?? false,
      },
      podAnnotations: runtime?.['io.kubernetes.cri.pod-annotations'] ?? {},
      labels: Object.fromEntries((cni?.labels ?? []).map(({ key, value }) => [key, value])),
      requestedIps,
      requestedMac: (runtime?.mac ?? cni?.mac ?? ofArgs.data.MAC)?.toLowerCase(),
      portMappings: (runtime?.portmappings ?? []).map((mapping) => ({
        hostPort: mapping.hostport,
        containerPort: mapping.containerport,
        protocol: (mapping.protocol ?? 'tcp').toUpperCase(),
        hostIP: mapping.hostip ?? '',
      })),
      shapes: conf.capabilities?.bandwidth === true || (runtime?.bandwidth ?? undefined) !== undefined,
      bandwidth: bandwidthOf(runtime?.bandwidth ?? {}),
      dns: {
        ...(runtime?.dns?.servers ? { nameservers: runtime.dns.servers } : {}),
        ...(runtime?.dns?.searches ? { search: runtime.dns.searches } : {}),
        ...(runtime?.dns?.options ? { options: runtime.dns.options } : {}),
      },
      prevResult: prevResult?.value,
      validAttachments: attachments?.map(({ containerID, ifname }) => ({
        containerId: containerID,
        ifName: ifname,
      })),
    },
  };
}

/** A rate of 0 is none, and a burst says nothing without a rate. */
function bandwidthOf(told: {
  readonly ingressrate?: number | undefined;
  readonly ingressburst?: number | undefined;
  readonly egressrate?: number | undefined;
  readonly egressburst?: number | undefined;
}): Bandwidth {
  const { ingressrate = 0, ingressburst, egressrate = 0, egressburst } = told;
  return {
    ...(ingressrate > 0 ? { ingressBandwidth: ingressrate } : {}),
    ...(ingressrate > 0 && ingressburst !== undefined ? { ingressBurst: ingressburst } : {}),
    ...(egressrate > 0 ? { egressBandwidth: egressrate } : {}),
    ...(egressrate > 0 && egressburst !== undefined ? { egressBurst: egressburst } : {}),
  };
}

/** Calico's plugin knows no other words, and takes any other for the second. */
function levelOf(text: string | undefined): 'debug' | 'info' | 'warning' | 'error' {
  const word = text?.toLowerCase();
  return word === 'debug' || word === 'warning' || word === 'error' ? word : 'info';
}
