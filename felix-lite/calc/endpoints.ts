/** Endpoints and network sets as calc keeps them: labels, what they inherit from, what they bring into sets. */
import type {
  GlobalNetworkSet,
  HostEndpoint,
  Labels,
  NetworkSet,
  WorkloadEndpoint,
} from '../../api/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { AddressPair } from './model.ts';
import {
  NAMESPACE_LABEL,
  NAMESPACE_PREFIX,
  SERVICE_ACCOUNT_LABEL,
  SERVICE_ACCOUNT_PREFIX,
} from './selectors.ts';
import type { Contribution, NamedPort } from './set-members.ts';

const ORCHESTRATOR_LABEL = 'projectcalico.org/orchestrator';
/** Longer names cannot be label values; Calico then leaves the label out. */
const LABEL_VALUE_LIMIT = 63;

/** Something that selectors of rules can select. */
export interface Selectable {
  readonly labels: Labels;
  /** Profiles to inherit labels from. */
  readonly parents: readonly string[];
  readonly contribution: Contribution;
}

/** Undefined without an address: such an endpoint takes no part in policy. */
export function selectableWorkload({ metadata, spec }: WorkloadEndpoint): Selectable | undefined {
  const nets = prefixes(spec.ipNetworks ?? []);
  if (nets.length === 0) return undefined;
  const account = spec.serviceAccountName ?? '';
  return {
    labels: {
      ...ownLabels(metadata.labels),
      [NAMESPACE_LABEL]: metadata.namespace ?? '',
      [ORCHESTRATOR_LABEL]: spec.orchestrator,
      ...(account === '' || account.length > LABEL_VALUE_LIMIT ? {} : { [SERVICE_ACCOUNT_LABEL]: account }),
    },
    parents: spec.profiles ?? [],
    contribution: { nets, ports: namedPorts(spec.ports ?? []) },
  };
}

/** A HostEndpoint is known to others by its expected addresses. */
export function selectableHost({ metadata, spec }: HostEndpoint): Selectable {
  return {
    labels: ownLabels(metadata.labels),
    parents: spec.profiles ?? [],
    contribution: { nets: prefixes(spec.expectedIPs ?? []), ports: namedPorts(spec.ports ?? []) },
  };
}

export function selectableSet({ metadata, spec }: NetworkSet | GlobalNetworkSet): Selectable {
  const { namespace } = metadata;
  return {
    labels: {
      ...ownLabels(metadata.labels),
      ...(namespace === undefined ? {} : { [NAMESPACE_LABEL]: namespace }),
    },
    parents: namespace === undefined ? [] : [`kns.${namespace}`],
    contribution: { nets: prefixes(spec.nets ?? []), ports: [] },
  };
}

/** Pairs whose ends are not of one version mean nothing. */
export function floatingIps({ spec }: WorkloadEndpoint): readonly AddressPair[] {
  return (spec.ipNATs ?? []).flatMap(({ internalIP, externalIP }) => {
    const [internal, external] = [Address.parse(internalIP), Address.parse(externalIP)];
    if (internal === undefined || external?.version !== internal.version) return [];
    return [{ version: internal.version, internal: internal.toString(), external: external.toString() }];
  });
}

/** What the workload may send from beside its own addresses. */
export function allowedSources({ spec }: WorkloadEndpoint): readonly Prefix[] {
  return prefixes(spec.allowSpoofedSourcePrefixes ?? []);
}

/** Without those that only a namespace or a service account may lend. */
function ownLabels(labels: Labels = {}): Labels {
  return Object.keys(labels).some(isLent)
    ? Object.fromEntries(Object.entries(labels).filter(([name]) => !isLent(name)))
    : labels;
}

function isLent(label: string): boolean {
  return label.startsWith(NAMESPACE_PREFIX) || label.startsWith(SERVICE_ACCOUNT_PREFIX);
}

function prefixes(texts: readonly string[]): readonly Prefix[] {
  const read: Prefix[] = [];
  for (const text of texts) {
    const address = text.includes('/') ? undefined : Address.parse(text);
    const prefix = address === undefined ? Prefix.parse(text, { hostBits: 'mask' }) : Prefix.host(address);
    if (prefix !== undefined) read.push(prefix);
  }
  return read;
}

function namedPorts(
  ports: readonly { readonly name?: string; readonly protocol: string | number; readonly port: number }[],
): readonly NamedPort[] {
  return ports.flatMap(({ name, protocol, port }) =>
    name === undefined || name === '' ? [] : [{ name, protocol: String(protocol).toLowerCase(), port }],
  );
}
