/** Endpoints of Kubernetes services, as rules with `services` match them: from EndpointSlices, ready or not, as in Calico. */
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../../api/kinds/kubernetes-data.ts';
import { Address } from '../../net/addr/index.ts';
import type { Member, ServiceKey } from './model.ts';

/** What one slice brings into the sets of its service. */
export interface SliceContribution {
  readonly service: ServiceKey;
  readonly addresses: readonly Member[];
  /** Each address with each port. */
  readonly ends: readonly Member[];
}

/** Undefined for a slice of no service. Names (addressType FQDN) are no addresses, and count for nothing. */
export function sliceContribution({
  metadata,
  ports,
  endpoints,
}: EndpointSlice): SliceContribution | undefined {
  const name = metadata.labels?.[SERVICE_NAME_LABEL];
  if (name === undefined) return undefined;
  const addresses = (endpoints ?? [])
    .flatMap((endpoint) => endpoint.addresses)
    .flatMap((text) => Address.parse(text)?.toString() ?? []);
  const numbered = (ports ?? []).flatMap(({ protocol = 'TCP', port }) =>
    port === undefined ? [] : [`${protocol.toLowerCase()}:${port}`],
  );
  return {
    service: `${metadata.namespace ?? 'default'}/${name}`,
    addresses: [...new Set(addresses)],
    ends: [...new Set(addresses.flatMap((address) => numbered.map((port) => `${address},${port}`)))],
  };
}
