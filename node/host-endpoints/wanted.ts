/**
 * Host endpoints that are made for nodes of themselves (KubeControllersConfiguration `controllers.node.hostEndpoint`): which
 * there should be. Names, label and fields are those of Calico's controllers, so that either takes over from the other. Pure.
 */
import { createHash } from 'node:crypto';
import {
  type HostEndpoint,
  type KubeControllersConfiguration,
  type Node,
  parseSelector,
  type Problem,
} from '../../api/index.ts';
import { Address, parseInterfaceAddress, Prefix } from '../../net/addr/index.ts';

const CREATED_BY = 'projectcalico.org/created-by';
const CREATOR = 'calico-kube-controllers';
const SUFFIX = 'auto-hep';
const NAME_LIMIT = 253;
/** Without a policy that selects it, an endpoint stops nothing. */
const OPEN_PROFILE = 'projectcalico-default-allow';

export type HostEndpointConfig = NonNullable<
  NonNullable<KubeControllersConfiguration['spec']['controllers']['node']>['hostEndpoint']
>;
type Template = NonNullable<HostEndpointConfig['templates']>[number];

export interface Wanted {
  readonly endpoints: readonly HostEndpoint[];
  readonly problems: readonly Problem[];
}

export function isAutomatic({ metadata }: HostEndpoint): boolean {
  return metadata.labels?.[CREATED_BY] === CREATOR;
}

export function wantedHostEndpoints(config: HostEndpointConfig, nodes: readonly Node[]): Wanted {
  if (config.autoCreate !== 'Enabled') return { endpoints: [], problems: [] };
  const problems: Problem[] = [];
  const templates = (config.templates ?? []).flatMap((template, index) => {
    const read = readTemplate(template, index);
    if ('code' in read) problems.push(read);
    return 'code' in read ? [] : [read];
  });
  const endpoints = nodes.flatMap((node) => [
    ...(config.createDefaultHostEndpoint === 'Disabled'
      ? []
      : [endpoint(node, undefined, addressesOf(node), '*')]),
    ...templates.flatMap((template) => fromTemplate(template, node)),
  ]);
  // Two templates of one name: the first one's.
  return {
    endpoints: [...Map.groupBy(endpoints, ({ metadata }) => metadata.name).values()].map(([first]) => first!),
    problems,
  };
}

interface ReadTemplate {
  readonly template: Template;
  readonly selects: (node: Node) => boolean;
  readonly pattern: RegExp | undefined;
}

function readTemplate(template: Template, index: number): ReadTemplate | Problem {
  const { nodeSelector = 'all()', interfacePattern, generateName = '' } = template;
  const field = `spec.controllers.node.hostEndpoint.templates[${index}]`;
  const selector = parseSelector(nodeSelector);
  if (!selector.ok) return broken(`${field}.nodeSelector`, nodeSelector, 'a selector');
  if (generateName === '')
    return broken(`${field}.generateName`, generateName, 'a name: endpoints are called after it');
  const selects = ({ metadata }: Node): boolean => selector.value.matches(metadata.labels ?? {});
  try {
    return {
      template,
      selects,
      pattern:
        interfacePattern === undefined || interfacePattern === '' ? undefined : new RegExp(interfacePattern),
    };
  } catch {
    return broken(`${field}.interfacePattern`, interfacePattern, 'a regular expression');
  }
}

function broken(field: string, value: unknown, what: string): Problem {
  return {
    code: 'TEMPLATE_INVALID',
    resource: 'KubeControllersConfiguration/default',
    field,
    value,
    what: `${JSON.stringify(value)} is not ${what}; nothing is made of the template`,
    remedy: `write ${what}`,
  };
}

/** One for each interface that the pattern matches; without a pattern one, for the addresses in the template's prefixes. */
function fromTemplate({ template, selects, pattern }: ReadTemplate, node: Node): readonly HostEndpoint[] {
  if (!selects(node)) return [];
  const cidrs = (template.interfaceCIDRs ?? []).flatMap((text) => prefixOf(text) ?? []);
  const inside = addressesOf(node).filter((text) => {
    const address = Address.parse(text);
    return (
      address !== undefined &&
      cidrs.some((cidr) => cidr.version === address.version && cidr.contains(address))
    );
  });
  if (pattern === undefined) return inside.length === 0 ? [] : [endpoint(node, template, inside, undefined)];
  return (node.spec.interfaces ?? [])
    .filter(({ name }) => pattern.test(name))
    .map(({ name, addresses = [] }) =>
      endpoint(node, template, unique([...inside, ...addresses.flatMap(addressIn)]), name),
    );
}

function endpoint(
  node: Node,
  template: Template | undefined,
  expectedIPs: readonly string[],
  interfaceName: string | undefined,
): HostEndpoint {
  const named = interfaceName === '*' ? undefined : interfaceName;
  const parts = [node.metadata.name, template?.generateName, named, SUFFIX];
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'HostEndpoint',
    metadata: {
      name: fitting(parts.filter((part) => part !== undefined).join('-')),
      labels: { ...node.metadata.labels, ...template?.labels, [CREATED_BY]: CREATOR },
    },
    spec: {
      node: node.metadata.name,
      ...(interfaceName === undefined ? {} : { interfaceName }),
      expectedIPs: [...expectedIPs],
      profiles: [OPEN_PROFILE],
    },
  };
}

function fitting(name: string): string {
  if (name.length <= NAME_LIMIT) return name;
  const hash = createHash('sha256').update(name).digest('base64url').replaceAll(/[-_.]/g, '');
  return `${hash}-${SUFFIX}`.toLowerCase();
}

/** All that the Node says of its addresses, those of tunnels among them; in Calico's order. */
function addressesOf({ spec }: Node): readonly string[] {
  const { bgp, wireguard, addresses = [], interfaces = [] } = spec;
  return unique(
    [
      bgp?.ipv4Address,
      bgp?.ipv6Address,
      bgp?.ipv4IPIPTunnelAddr,
      spec.ipv4VXLANTunnelAddr,
      spec.ipv6VXLANTunnelAddr,
      wireguard?.interfaceIPv4Address,
      wireguard?.interfaceIPv6Address,
      ...addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
      ...interfaces.flatMap((each) => each.addresses ?? []),
    ].flatMap((text) => (text === undefined ? [] : addressIn(text))),
  );
}

function addressIn(text: string): readonly string[] {
  const parsed = parseInterfaceAddress(text);
  return parsed === undefined ? [] : [parsed.address.toString()];
}

function prefixOf(text: string): Prefix | undefined {
  const address = Address.parse(text);
  return address === undefined ? Prefix.parse(text, { hostBits: 'mask' }) : Prefix.host(address);
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
