/**
 * Makes this machine's Node, and keeps its addresses and AS number true: what Calico's start-up does before anything else
 * runs, and its address monitor afterwards.
 */
import { createSocket } from 'node:dgram';
import { isDeepStrictEqual } from 'node:util';
import { fail, type Node, ok, type Problem, type Result, unwrap, validate } from '../../api/index.ts';
import type { ResourceClient } from '../../datastore/index.ts';
import { Address, type IpVersion, parseInterfaceAddress } from '../../net/addr/index.ts';
import type { Link, LinkAddress, Netlink } from '../../net/kernel/index.ts';
import { type Candidate, chooseAddress, isUplink, type Method } from './autodetect.ts';

/** `keep`: what the Node has, and to be found where it has none. `none`: what it has, and nothing is looked for. */
export type AddressWish = 'keep' | 'autodetect' | 'none' | { readonly given: string };

export interface NodeWishes {
  readonly ip: { readonly 4: AddressWish; readonly 6: AddressWish };
  readonly methods: { readonly 4: Method; readonly 6: Method };
  readonly asNumber?: number | undefined;
}

export interface NodeMade {
  readonly node: Node;
  readonly change: 'created' | 'updated' | 'unchanged';
  /** What could not be had; the rest was done. */
  readonly problems: readonly Problem[];
}

type Bgp = NonNullable<Node['spec']['bgp']>;
type Interfaces = NonNullable<Node['spec']['interfaces']>;
const ATTEMPTS = 10;

export async function makeNode(
  name: string,
  wishes: NodeWishes,
  client: ResourceClient,
  netlink: Netlink,
): Promise<Result<NodeMade>> {
  const machine = await readMachine(netlink);
  for (let attempt = 1; ; attempt++) {
    const found = await client.get('Node', name);
    const before = found.ok ? found.value : undefined;
    const problems: Problem[] = [];
    const bgp = await wished(before, name, wishes, candidatesOf(machine), problems);
    const others = unwrap(await client.list('Node')).filter(({ metadata }) => metadata.name !== name);
    const double = doubleOf(bgp, name, others);
    if (double !== undefined) return fail(double);
    const spec = withFound(before?.spec ?? {}, bgp, interfacesOf(machine, wishes));
    if (before !== undefined && isDeepStrictEqual(spec, before.spec))
      return ok({ node: before, change: 'unchanged', problems });
    const checked = validate({
      apiVersion: 'projectcalico.org/v3',
      kind: 'Node',
      ...before,
      metadata: before?.metadata ?? { name },
      spec,
    });
    if (!checked.ok) return checked;
    const node = checked.value as Node;
    const written = before === undefined ? await client.create(node) : await client.update(node);
    if (written.ok)
      return ok({ node: written.value, change: before === undefined ? 'created' : 'updated', problems });
    // Its own agent, or another start of the same, wrote in between: look again.
    const raced = written.problems.some(
      ({ code }) => code === 'RESOURCE_CONFLICT' || code === 'RESOURCE_EXISTS',
    );
    if (!raced || attempt === ATTEMPTS) return written;
  }
}

function withFound(before: Node['spec'], bgp: Bgp, interfaces: Interfaces): Node['spec'] {
  const { bgp: _bgp, interfaces: _interfaces, ...rest } = before;
  return {
    ...(Object.keys(bgp).length === 0 ? {} : { bgp }),
    ...rest,
    ...(interfaces.length === 0 ? {} : { interfaces }),
  };
}

/**
 * The machine's uplinks by name with all that is on them, for automatic host endpoints to choose from; as Calico, only of the
 * IP versions that the node shall have.
 */
function interfacesOf({ links, addresses }: Machine, { ip }: NodeWishes): Interfaces {
  const versions = ([4, 6] as const).filter((version) => ip[version] !== 'none');
  if (versions.length === 0) return [];
  return links
    .filter(({ name }) => isUplink(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ index, name }) => {
      const on = addresses.filter(
        ({ link, address }) => link === index && versions.includes(address.version),
      );
      return on.length === 0 ? { name } : { name, addresses: on.map(({ address }) => address.toString()) };
    });
}

async function wished(
  before: Node | undefined,
  name: string,
  { ip, methods, asNumber }: NodeWishes,
  candidates: readonly Candidate[],
  problems: Problem[],
): Promise<Bgp> {
  const bgp: { -readonly [Key in keyof Bgp]: Bgp[Key] } = { ...before?.spec.bgp };
  if (asNumber !== undefined) bgp.asNumber = asNumber;
  for (const version of [4, 6] as const) {
    const field = version === 4 ? 'ipv4Address' : 'ipv6Address';
    const wish = ip[version];
    if (wish === 'none') continue;
    if (typeof wish === 'object') bgp[field] = withSubnet(wish.given, candidates);
    else if (wish === 'autodetect' || bgp[field] === undefined) {
      const hints = await hintsFor(methods[version], version, before);
      const chosen = chooseAddress(methods[version], version, candidates, hints);
      if (chosen !== undefined) bgp[field] = `${chosen.address.toString()}/${chosen.prefixLength}`;
      // A machine without IPv6 is nothing to speak of unless somebody asked for it.
      else if (version === 4 || wish === 'autodetect')
        problems.push(nothingFound(name, field, methods[version]));
    }
  }
  return bgp;
}

/** A given address without a length gets that of the interface it is on. */
function withSubnet(text: string, candidates: readonly Candidate[]): string {
  if (text.includes('/')) return text;
  const address = Address.parse(text);
  const on = candidates.find((each) => address !== undefined && each.address.equals(address));
  return on === undefined ? text : `${text}/${on.prefixLength}`;
}

async function hintsFor(
  method: Method,
  version: IpVersion,
  before: Node | undefined,
): Promise<{ readonly reaching?: Address | undefined; readonly kubernetesInternal?: Address | undefined }> {
  if (method.kind === 'can-reach') return { reaching: await sourceTo(method.destination, version) };
  if (method.kind !== 'kubernetes-internal-ip') return {};
  const internal = (before?.spec.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .flatMap(({ address }) => parseInterfaceAddress(address) ?? [])
    .find(({ address }) => address.version === version);
  return { kubernetesInternal: internal?.address };
}

/** The address that the kernel would send from; no packet is sent. */
function sourceTo(destination: string, version: IpVersion): Promise<Address | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(version === 4 ? 'udp4' : 'udp6');
    const end = (address: Address | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => end(undefined));
    const DISCARD = 9;
    socket.connect(DISCARD, destination, () => end(Address.parse(socket.address().address)));
  });
}

interface Machine {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
}

async function readMachine(netlink: Netlink): Promise<Machine> {
  return { links: await netlink.listLinks(), addresses: await netlink.listAddresses() };
}

function candidatesOf({ links, addresses }: Machine): readonly Candidate[] {
  return [...links]
    .sort((a, b) => b.index - a.index)
    .flatMap(({ index, name, up }) =>
      addresses
        .filter(({ link }) => link === index)
        .map(({ address, prefixLength, scope, tentative }) => ({
          interface: name,
          up,
          address,
          prefixLength,
          usable: scope === 0 && !tentative,
        })),
    );
}

function doubleOf(bgp: Bgp, name: string, others: readonly Node[]): Problem | undefined {
  for (const field of ['ipv4Address', 'ipv6Address'] as const) {
    const own = bgp[field] === undefined ? undefined : parseInterfaceAddress(bgp[field])?.address;
    if (own === undefined) continue;
    const other = others.find(({ spec }) => {
      const text = spec.bgp?.[field];
      return text !== undefined && parseInterfaceAddress(text)?.address.equals(own) === true;
    });
    if (other !== undefined)
      return {
        code: 'NODE_ADDRESS_DOUBLE',
        resource: `Node/${name}`,
        field: `spec.bgp.${field}`,
        value: own.toString(),
        what: `Node ${other.metadata.name} has the address ${own.toString()} already`,
        remedy: `give this machine another address, or delete the other Node if it is this very machine under an old name`,
      };
  }
  return undefined;
}

function nothingFound(name: string, field: string, { kind }: Method): Problem {
  return {
    code: 'NODE_ADDRESS_NOT_FOUND',
    resource: `Node/${name}`,
    field: `spec.bgp.${field}`,
    what: `no address of this machine fits the method ${kind}`,
    remedy: 'choose another method, or give the address itself',
  };
}
