/**
 * Objects of Kubernetes that say what policies and advertisements speak of: namespaces, accounts, pods, services. They
 * are Kubernetes' own, so only what is read here is checked, and every other field is kept as it is.
 */
import { z } from 'zod';
import { type KindNames, kubernetesResource } from './kind.ts';

const text = () => z.exactOptional(z.string());
const number = () => z.exactOptional(z.number());
const texts = () => z.exactOptional(z.array(z.string()));

export const namespace = {
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  kubernetes: { apiVersion: 'v1', kind: 'Namespace' },
  schema: kubernetesResource('Namespace', 'v1', {}).loose(),
} as const satisfies KindNames<'Namespace'> & { schema: z.ZodType };

export const serviceAccount = {
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  kubernetes: { apiVersion: 'v1', kind: 'ServiceAccount' },
  schema: kubernetesResource('ServiceAccount', 'v1', {}).loose(),
} as const satisfies KindNames<'ServiceAccount'> & { schema: z.ZodType };

const containers = z.exactOptional(
  z.array(
    z.looseObject({
      ports: z.exactOptional(
        z.array(
          z.looseObject({
            name: text(),
            containerPort: number(),
            hostPort: number(),
            hostIP: text(),
            protocol: text(),
          }),
        ),
      ),
    }),
  ),
);

export const pod = {
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  namespaced: true,
  kubernetes: { apiVersion: 'v1', kind: 'Pod' },
  schema: kubernetesResource('Pod', 'v1', {
    spec: z.exactOptional(
      z.looseObject({
        nodeName: text(),
        hostNetwork: z.exactOptional(z.boolean()),
        serviceAccountName: text(),
        containers,
        initContainers: containers,
      }),
    ),
    status: z.exactOptional(
      z.looseObject({
        phase: text(),
        podIP: text(),
        podIPs: z.exactOptional(z.array(z.looseObject({ ip: text() }))),
      }),
    ),
  }).loose(),
} as const satisfies KindNames<'Pod'> & { schema: z.ZodType };

export const service = {
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  namespaced: true,
  kubernetes: { apiVersion: 'v1', kind: 'Service' },
  schema: kubernetesResource('Service', 'v1', {
    spec: z.exactOptional(
      z.looseObject({
        type: text(),
        clusterIP: text(),
        clusterIPs: texts(),
        externalIPs: texts(),
        loadBalancerIP: text(),
        externalTrafficPolicy: text(),
        internalTrafficPolicy: text(),
        selector: z.exactOptional(z.record(z.string(), z.string())),
        ports: z.exactOptional(
          z.array(
            z.looseObject({
              name: text(),
              protocol: text(),
              port: number(),
              nodePort: number(),
              targetPort: z.exactOptional(z.union([z.number(), z.string()])),
            }),
          ),
        ),
      }),
    ),
    status: z.exactOptional(
      z.looseObject({
        loadBalancer: z.exactOptional(
          z.looseObject({
            ingress: z.exactOptional(z.array(z.looseObject({ ip: text(), hostname: text() }))),
          }),
        ),
      }),
    ),
  }).loose(),
} as const satisfies KindNames<'Service'> & { schema: z.ZodType };

/** The label of an EndpointSlice that names its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export const endpointSlice = {
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  shortNames: ['eps'],
  namespaced: true,
  kubernetes: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  schema: kubernetesResource('EndpointSlice', 'discovery.k8s.io/v1', {
    addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
    endpoints: z.exactOptional(
      z.array(
        z.looseObject({
          addresses: z.array(z.string()),
          nodeName: text(),
          conditions: z.exactOptional(
            z.looseObject({
              ready: z.exactOptional(z.boolean()),
              serving: z.exactOptional(z.boolean()),
              terminating: z.exactOptional(z.boolean()),
            }),
          ),
        }),
      ),
    ),
    ports: z.exactOptional(
      z.array(z.looseObject({ name: text(), protocol: text(), port: number(), appProtocol: text() })),
    ),
  }).loose(),
} as const satisfies KindNames<'EndpointSlice'> & { schema: z.ZodType };

export type Namespace = z.output<typeof namespace.schema>;
export type ServiceAccount = z.output<typeof serviceAccount.schema>;
export type Pod = z.output<typeof pod.schema>;
export type Service = z.output<typeof service.schema>;
export type EndpointSlice = z.output<typeof endpointSlice.schema>;
