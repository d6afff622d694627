/**
 * Services as the ends of packets: which service an address and a port are of, and where kube-proxy sends a packet that goes
 * there. Policy is asked after that, about the endpoint that was chosen. Pure.
 */
import type { EndpointSlice, Resource, Service } from '../../api/index.ts';
import { SERVICE_NAME_LABEL } from '../../api/kinds/kubernetes-data.ts';
import { Address } from '../../net/addr/index.ts';
import { UsageError } from '../command.ts';
import type { Asked } from './policy-world.ts';

export interface ServiceTarget {
  /** `shop/api`. */
  readonly service: string;
  readonly by: 'ClusterIP' | 'NodePort' | 'external address';
  readonly protocol: string;
  /** Where packets go before they are sent on: the addresses of the service, or the one that was asked for. */
  readonly addresses: readonly Address[];
  readonly port: number;
  readonly backends: readonly Backend[];
  /** What one has to know to read the answers. */
  readonly notes: readonly string[];
}

/** An endpoint that kube-proxy may choose. */
export interface Backend {
  readonly address: Address;
  readonly port: number;
  readonly node: string | undefined;
}

type Port = NonNullable<NonNullable<Service['spec']>['ports']>[number];

const NUMBERS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/**
 * @param text  `svc:NAMESPACE/NAME`, or an address
 * @param from  node that the packet comes from; undefined outside
 * @returns undefined where it is about no service
 */
export function serviceAt(
  resources: readonly Resource[],
  text: string,
  asked: Asked,
  from: string | undefined,
): ServiceTarget | undefined {
  const services = resources.filter((each) => each.kind === 'Service');
  const named = /^svc:(?<namespace>[^/]+)\/(?<name>[^/]+)$/.exec(text)?.groups;
  if (text.startsWith('svc:')) {
    const service = services.find(
      ({ metadata }) => metadata.namespace === named?.['namespace'] && metadata.name === named?.['name'],
    );
    if (service === undefined)
      throw new UsageError(`there is no service ${text.slice(4)}: give svc:NAMESPACE/NAME`);
    const addresses = clusterIps(service);
    if (addresses.length === 0)
      throw new UsageError(`${nameOf(service)} has no ClusterIP: give one of its endpoints`);
    return target(resources, service, portOf(service, asked), 'ClusterIP', addresses, from);
  }
  const address = Address.parse(text);
  if (address === undefined) return undefined;
  for (const [by, addressesOf] of [
    ['ClusterIP', clusterIps],
    ['external address', externalIps],
  ] as const) {
    const service = services.find((each) => addressesOf(each).some((one) => one.equals(address)));
    if (service !== undefined) return target(resources, service, portOf(service, asked), by, [address], from);
  }
  return atNodePort(resources, services, address, asked);
}

function atNodePort(
  resources: readonly Resource[],
  services: readonly Service[],
  address: Address,
  asked: Asked,
): ServiceTarget | undefined {
  const node = resources.find(
    (each) =>
      each.kind === 'Node' &&
      [
        each.spec.bgp?.ipv4Address,
        each.spec.bgp?.ipv6Address,
        ...(each.spec.addresses ?? []).map((one) => one.address),
      ].some((one) => Address.parse(one?.split('/')[0] ?? '')?.equals(address) === true),
  );
  if (node === undefined) return undefined;
  for (const service of services) {
    const port = service.spec?.ports?.find(
      (each) => each.nodePort === asked.port && numberOf(each) === asked.protocol,
    );
    if (port === undefined) continue;
    return target(resources, service, port, 'NodePort', [address], node.metadata.name);
  }
  return undefined;
}

function target(
  resources: readonly Resource[],
  service: Service,
  port: Port,
  by: ServiceTarget['by'],
  addresses: readonly Address[],
  node: string | undefined,
): ServiceTarget {
  const policy = by === 'ClusterIP' ? 'internalTrafficPolicy' : 'externalTrafficPolicy';
  const isLocal = service.spec?.[policy] === 'Local';
  const all = backendsOf(resources, service, port);
  const backends = isLocal && node !== undefined ? all.filter((each) => each.node === node) : all;
  return {
    service: nameOf(service),
    by,
    protocol: port.protocol ?? 'TCP',
    addresses,
    port: (by === 'NodePort' ? port.nodePort : port.port) ?? 0,
    backends,
    notes: notesFor(by, isLocal ? policy : undefined, node),
  };
}

/** @param local  field of the service that keeps to endpoints on the node that takes the packet; undefined: none does */
function notesFor(
  by: ServiceTarget['by'],
  local: string | undefined,
  node: string | undefined,
): readonly string[] {
  if (local !== undefined)
    return [`${local} is Local: only endpoints on ${node ?? 'the node that takes the packet'} are chosen`];
  if (by === 'ClusterIP') return [];
  return [
    'where the endpoint is on another node than the one that takes the packet, kube-proxy sends it as if it came from that node: policy there sees the address of the node',
  ];
}

/** Those that are ready; while none is, those that are going and still serve, as kube-proxy does. */
function backendsOf(resources: readonly Resource[], { metadata }: Service, port: Port): readonly Backend[] {
  const slices = resources.filter(
    (each): each is EndpointSlice =>
      each.kind === 'EndpointSlice' &&
      each.metadata.namespace === metadata.namespace &&
      each.metadata.labels?.[SERVICE_NAME_LABEL] === metadata.name,
  );
  const found = slices.flatMap(({ endpoints = [], ports = [] }) => {
    const own = ports.find(
      (each) =>
        (each.name ?? '') === (port.name ?? '') && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (own?.port === undefined) return [];
    const number = own.port;
    return endpoints.flatMap(({ addresses, nodeName, conditions = {} }) => {
      const address = Address.parse(addresses[0] ?? '');
      if (address === undefined) return [];
      return [{ backend: { address, port: number, node: nodeName }, conditions }];
    });
  });
  const ready = found.filter(({ conditions }) => conditions.ready !== false);
  const going = found.filter(
    ({ conditions }) => conditions.serving === true && conditions.terminating === true,
  );
  return (ready.length > 0 ? ready : going).map(({ backend }) => backend);
}

function portOf(service: Service, { protocol, port }: Asked): Port {
  const ports = service.spec?.ports ?? [];
  const fitting = ports.filter((each) => numberOf(each) === protocol);
  const found =
    port === undefined && fitting.length === 1 ? fitting[0] : fitting.find((each) => each.port === port);
  if (found !== undefined) return found;
  const known = ports.map((each) => `${each.port ?? '?'}/${(each.protocol ?? 'TCP').toLowerCase()}`);
  throw new UsageError(
    `${nameOf(service)} serves ${known.length === 0 ? 'no port' : known.join(', ')}: give --port and --protocol of one of them`,
  );
}

function numberOf({ protocol = 'TCP' }: Port): number | undefined {
  return NUMBERS[protocol];
}

function clusterIps({ spec }: Service): readonly Address[] {
  return parsed([...(spec?.clusterIPs ?? []), spec?.clusterIP ?? '']);
}

function externalIps({ spec, status }: Service): readonly Address[] {
  const ingress = status?.loadBalancer?.ingress ?? [];
  return parsed([...(spec?.externalIPs ?? []), ...ingress.map(({ ip = '' }) => ip)]);
}

/** Without what is none (`None`), each once. */
function parsed(texts: readonly string[]): readonly Address[] {
  return [...new Set(texts)].flatMap((text) => Address.parse(text) ?? []);
}

function nameOf({ metadata }: Service): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
