/**
 * What lies under Calico's prefix in etcd beside the objects of the store: who writes and reads it today, and what is done
 * about it here. Nothing of it is ever changed or deleted by this engine. Pure.
 *
 * Sources: `libcalico-go/lib/backend/model/keys.go`, `networking-calico/datamodel_v{1,2}.py`, and Calico's page on
 * permissions in etcd.
 */

export interface Family {
  readonly path: RegExp;
  readonly what: string;
  /** Who of Calico still writes or reads it. */
  readonly usedBy: string;
  /** What we do, and what a migration does with it. */
  readonly here: string;
}

/** Paths relative to the prefix. What is not among them, and no object, `poplin datastore check` reports. */
export const FAMILIES: readonly Family[] = [
  {
    path: /^ipam\/v2\/host\/[^/]+$/,
    what: 'IPAM record of a host, an empty object',
    usedBy: 'written by releases before 3.0; newer ones delete it with the host',
    here: 'left alone; stays behind in a migration, as with calicoctl',
  },
  {
    path: /^felix\/v2\/[^/]+\/host\/[^/]+\/(?:status|last_reported_status)$/,
    what: 'sign of life of Felix, the first on a lease',
    usedBy: 'Felix where ReportingInterval is not 0; the Neutron driver of OpenStack reads it',
    here: 'left alone: whether our agents live is seen in metrics and by `poplin node`; absence means unknown to readers',
  },
  {
    path: /^felix\/v[12]\/(?:[^/]+\/)?host\/[^/]+\/workload\/.+\/endpoint\/[^/]+$/,
    what: 'whether a workload endpoint is up',
    usedBy: 'Felix where EndpointReportingEnabled is set; the Neutron driver of OpenStack reads it',
    here: 'left alone: our agent keeps the status of an endpoint in a file of its node, as Calico does outside OpenStack',
  },
  {
    path: /^felix\/v1\/host\/[^/]+\/endpoint\/[^/]+$/,
    what: 'whether a host endpoint is up',
    usedBy: 'Felix where EndpointReportingEnabled is set; nobody reads it',
    here: 'left alone',
  },
  {
    path: /^(?:dhcp|openstack)\/v[12]\/.+$/,
    what: 'subnets and networks of Neutron, elections of its driver',
    usedBy: 'networking-calico in OpenStack',
    here: 'left alone; stays behind in a migration, as with calicoctl',
  },
  {
    path: /^compaction\/v1\/(?:trigger|last)$/,
    what: 'when etcd was compacted last',
    usedBy: 'networking-calico in OpenStack',
    here: 'left alone',
  },
  {
    path: /^v1\/.+$/,
    what: 'data model of Calico 2: Ready, config, hosts with tunnel addresses, pools, policies',
    usedBy: 'nobody since 3.0: the same keys live on only between Typha and Felix, made from resources',
    here: 'left alone; a tunnel address is in Node, configuration in FelixConfiguration, readiness in ClusterInformation',
  },
  {
    path: /^bgp\/v1\/.+$/,
    what: 'BGP data of Calico 2: AS numbers, addresses, peers',
    usedBy: 'nobody since 3.0: confd has the same keys in memory, made from resources',
    here: 'left alone; it is in Node, BGPConfiguration and BGPPeer',
  },
];

/** @param path  relative to the prefix, of a key that is no object of the store */
export function familyOf(path: string): Family | undefined {
  return FAMILIES.find((family) => family.path.test(path));
}
