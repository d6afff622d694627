/** The cluster around the cases: what their rules speak of, apart from the workload and the policies of each. */
import type { Resource } from '../../api/index.ts';
import type { Party } from './case-flows.ts';
import { OUTSIDE, PORTS, type Workload, addressesOf, endpointOf, valid } from './node.ts';

/** Station of all workloads that cases are about. */
export const CROWD = 'crowd';
/** Index whose addresses LB comes back with. */
export const RESTARTED = 9;

const WEB: Workload = { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 };
export const LB: Workload = { name: 'lb', namespace: 'prod', labels: { role: 'lb', mood: 'good' }, index: 2 };
const STRANGER: Workload = { name: 'stranger', namespace: 'test', labels: { role: 'web' }, index: 3 };
const MOVER: Workload = { name: 'mover', namespace: 'shift', labels: {}, index: 4 };
export const CLIENTS = [WEB, LB, STRANGER, MOVER];

/** What the cluster is, apart from the workload and the policies of each case. */
export interface Surroundings {
  readonly resources: readonly Resource[];
  readonly parties: readonly Party[];
}

const namespace = (name: string, labels: object): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { name, ...labels } },
});
const tier = (name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'Tier',
  metadata: { name },
  spec,
});

export function surroundings(changed: boolean): Surroundings {
  const lb = { ...LB, labels: { role: 'lb', mood: changed ? 'bad' : 'good' } };
  const restarted = changed ? addressesOf(RESTARTED) : addressesOf(LB.index);
  const api = [addressesOf(WEB.index), addressesOf(STRANGER.index)];
  const slice = (version: 4 | 6): object => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `api-${version}`,
      namespace: 'prod',
      labels: { 'kubernetes.io/service-name': 'api' },
    },
    addressType: `IPv${version}`,
    endpoints: api.slice(0, changed ? 1 : 2).map((each) => ({ addresses: [each[version]] })),
    ports: [{ protocol: 'TCP', port: PORTS[0] }],
  });
  const endpoints = [endpointOf(WEB), endpointOf(lb), endpointOf(STRANGER), endpointOf(MOVER)].map((each) => {
    if (each.kind !== 'WorkloadEndpoint') throw new Error('no endpoint');
    if (each.spec.pod === 'lb')
      return { ...each, spec: { ...each.spec, ipNetworks: [`${restarted[4]}/32`, `${restarted[6]}/128`] } };
    if (each.spec.pod !== 'web') return each;
    const profiles = ['kns.prod', 'ksa.prod.robot'];
    return { ...each, spec: { ...each.spec, serviceAccountName: 'robot', profiles } };
  });
  const resources = [
    namespace('prod', {}),
    namespace('test', {}),
    namespace('shift', { mood: changed ? 'bad' : 'good' }),
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'robot', namespace: 'prod', labels: { trusted: 'yes' } },
    },
    tier('strict', { order: 10 }),
    tier('lenient', { order: 20, defaultAction: 'Pass' }),
    slice(4),
    slice(6),
    ...endpoints,
  ].map(valid);
  const parties = [
    ...CLIENTS.map(({ name, index }) => ({
      name,
      addresses: name === 'lb' ? restarted : addressesOf(index),
    })),
    { name: 'outside', addresses: OUTSIDE },
  ];
  return { resources, parties };
}
