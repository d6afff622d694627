/**
 * Which of a machine's addresses is its node's, by Calico's methods: `first-found`, `can-reach=DEST`, `interface=REGEX,…`,
 * `skip-interface=REGEX,…`, `cidr=CIDR,…`, `kubernetes-internal-ip`. Pure.
 */
import { fail, ok, type Result } from '../../api/index.ts';
import { Address, type IpVersion, Prefix } from '../../net/addr/index.ts';

export type Method =
  | { readonly kind: 'first-found' | 'kubernetes-internal-ip' }
  | { readonly kind: 'can-reach'; readonly destination: string }
  | { readonly kind: 'interface' | 'skip-interface'; readonly patterns: readonly RegExp[] }
  | { readonly kind: 'cidr'; readonly cidrs: readonly Prefix[] };

/**
 * One address on an interface. They are looked at in Calico's order, which is that of its first versions: the interface that was
 * made last comes first, its addresses as the kernel lists them.
 */
export interface Candidate {
  readonly interface: string;
  readonly up: boolean;
  readonly address: Address;
  readonly prefixLength: number;
  /** Not to be used (yet): duplicate address detection, link scope. */
  readonly usable: boolean;
}

/** Interfaces of containers, tunnels and bridges, as Calico leaves them out, and the one of NodeLocal DNSCache. */
const NOT_UPLINKS =
  /^(?:docker|cbr|dummy|podman|virbr|lxcbr|veth|lo|cali|tunl|flannel|kube-ipvs|cni|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali|nodelocaldns)/;

/** It may lead to other machines. */
export function isUplink(name: string): boolean {
  return !NOT_UPLINKS.test(name);
}

const WORDS =
  'first-found, can-reach=DEST, interface=REGEX, skip-interface=REGEX, cidr=CIDR or kubernetes-internal-ip';

export function parseMethod(text: string, field: string): Result<Method> {
  const equals = text.indexOf('=');
  const kind = equals < 0 ? text : text.slice(0, equals);
  const rest =
    equals < 0
      ? []
      : text
          .slice(equals + 1)
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '');
  const wrong = (what: string): Result<Method> =>
    fail({ code: 'AUTODETECTION_METHOD', field, value: text, what, remedy: `use ${WORDS}` });
  if (kind === 'first-found' || kind === 'kubernetes-internal-ip') return ok({ kind });
  if (rest.length === 0) return wrong(`${JSON.stringify(text)} is no method of finding an address`);
  if (kind === 'can-reach') return ok({ kind, destination: rest.join(',') });
  if (kind === 'interface' || kind === 'skip-interface')
    try {
      return ok({ kind, patterns: rest.map((part) => new RegExp(part)) });
    } catch {
      return wrong(`${JSON.stringify(rest.join(','))} is no regular expression`);
    }
  if (kind !== 'cidr') return wrong(`${JSON.stringify(kind)} is no method of finding an address`);
  const cidrs = rest.flatMap((part) => Prefix.parse(part, { hostBits: 'mask' }) ?? []);
  return cidrs.length === rest.length
    ? ok({ kind, cidrs })
    : wrong(`${JSON.stringify(rest.join(','))} holds what is no CIDR`);
}

export interface Hints {
  /** The machine's own address of a packet to the destination of can-reach. */
  readonly reaching?: Address | undefined;
  readonly kubernetesInternal?: Address | undefined;
}

/** Undefined: none fits. */
export function chooseAddress(
  method: Method,
  version: IpVersion,
  candidates: readonly Candidate[],
  hints: Hints = {},
): Candidate | undefined {
  // An address on the loopback interface that others have a route to is as good as any, where it is asked for.
  const fitting = candidates.filter(
    ({ address, usable, up }) =>
      address.version === version && usable && up && !address.isLinkLocal && !address.isLoopback,
  );
  const uplinks = fitting.filter((each) => isUplink(each.interface));
  switch (method.kind) {
    case 'first-found':
      return uplinks[0];
    case 'can-reach':
      return fitting.find(({ address }) => hints.reaching?.equals(address) === true);
    case 'kubernetes-internal-ip':
      return fitting.find(({ address }) => hints.kubernetesInternal?.equals(address) === true);
    case 'interface':
      return fitting.find((each) => method.patterns.some((pattern) => pattern.test(each.interface)));
    case 'skip-interface':
      return uplinks.find((each) => !method.patterns.some((pattern) => pattern.test(each.interface)));
    case 'cidr':
      return fitting.find(({ address }) => method.cidrs.some((cidr) => cidr.contains(address)));
  }
}
