/**
 * What the annotations of a pod and its namespace ask of its network, as Calico's plugin reads them: what they say is put
 * into the network configuration, over what stands there. Pure.
 */
import { type Checked, CniCode, refuse } from '../../cni-plugin/error.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import { Address } from '../../net/addr/index.ts';

export type Annotations = Readonly<Record<string, string>>;

const PREFIX = 'cni.projectcalico.org/';

export interface Wishes {
  readonly conf: NetConf;
  /** Taken as they are, with no IPAM asked; empty: as the configuration says. */
  readonly withoutIpam: readonly Address[];
}

/** @param pod  annotations of the pod, which win; `namespace`: of its namespace, for pools and families */
export function withWishes(conf: NetConf, pod: Annotations, namespace: Annotations): Checked<Wishes> {
  const of = (name: string): string => pod[PREFIX + name] ?? '';
  const inherited = (name: string): string => of(name) || (namespace[PREFIX + name] ?? '');
  const faults: string[] = [];
  const listOf = (name: string, text: string): string[] | undefined => {
    if (text === '') return undefined;
    const list = parseList(text);
    if (list === undefined)
      faults.push(`${PREFIX}${name} is ${JSON.stringify(text)}, not a JSON list of texts`);
    return list;
  };
  const addressesOf = (name: string): Address[] => {
    const texts = listOf(name, of(name));
    if (texts === undefined) return [];
    const addresses = texts.flatMap((text) => Address.parse(text) ?? []);
    const families = new Set(addresses.map(({ version }) => version));
    if (texts.length === 0 || addresses.length < texts.length || families.size < addresses.length)
      faults.push(`${PREFIX}${name} is ${of(name)}; it must list one address, or one of each family`);
    return addresses;
  };

  const families = listOf('ipFamilies', inherited('ipFamilies'));
  if (families?.some((family) => family !== 'IPv4' && family !== 'IPv6') === true)
    faults.push(`${PREFIX}ipFamilies may list IPv4 and IPv6, and nothing else`);
  const ipAddrs = addressesOf('ipAddrs');
  const withoutIpam = addressesOf('ipAddrsNoIpam');
  if (ipAddrs.length > 0 && withoutIpam.length > 0)
    faults.push(`${PREFIX}ipAddrs and ${PREFIX}ipAddrsNoIpam are both there; keep one`);
  if (withoutIpam.length > 0 && !conf.features.ipAddrsNoIpam)
    faults.push(
      `${PREFIX}ipAddrsNoIpam is not allowed here; set feature_control.ip_addrs_no_ipam in the network configuration`,
    );
  if (of('floatingIPs') !== '' && !conf.features.floatingIps)
    faults.push(
      `${PREFIX}floatingIPs is not allowed here; set feature_control.floating_ips in the network configuration`,
    );
  const mac = of('hwAddr').toLowerCase();
  if (mac !== '' && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
    faults.push(`${PREFIX}hwAddr is ${JSON.stringify(mac)}, not a MAC address such as 02:00:5e:10:00:01`);
  const v4Pools = listOf('ipv4pools', inherited('ipv4pools'));
  const v6Pools = listOf('ipv6pools', inherited('ipv6pools'));
  const [first] = faults;
  if (first !== undefined)
    return refuse(CniCode.invalidConfiguration, `the pod's annotation ${first}`, faults.slice(1).join('; '));

  return {
    ok: true,
    value: {
      withoutIpam,
      conf: {
        ...conf,
        requestedIps: ipAddrs.length > 0 ? ipAddrs : conf.requestedIps,
        requestedMac: mac === '' ? conf.requestedMac : mac,
        ipam: {
          ...conf.ipam,
          // Who asks for particular addresses gets those alone.
          assignIPv4: ipAddrs.length > 0 ? false : (families?.includes('IPv4') ?? conf.ipam.assignIPv4),
          assignIPv6: ipAddrs.length > 0 ? false : (families?.includes('IPv6') ?? conf.ipam.assignIPv6),
          ipv4Pools: v4Pools ?? conf.ipam.ipv4Pools,
          ipv6Pools: v6Pools ?? conf.ipam.ipv6Pools,
        },
      },
    },
  };
}

function parseList(text: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}
