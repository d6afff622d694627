/** KubeControllersConfiguration: what Calico's controllers in Kubernetes do. There is one, named `default`. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { duration } from '../schema/duration.ts';
import { labelComplaints } from '../schema/names.ts';
import { cidr } from '../schema/network.ts';
import { integer, selector } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { onlyNamed } from './naming.ts';

const interval = () => z.exactOptional(duration());
const switched = () => z.exactOptional(z.enum(['Enabled', 'Disabled']));
const reconciled = () => z.exactOptional(z.strictObject({ reconcilerPeriod: interval() }));

const template = rules(
  z.strictObject({
    /** Becomes part of the endpoints' names. */
    generateName: z.exactOptional(z.string().max(253)),
    interfaceCIDRs: z.exactOptional(z.array(cidr({ bare: true, hostBits: 'mask' }))),
    interfacePattern: z.exactOptional(z.string()),
    labels: z.exactOptional(rules(z.record(z.string(), z.string()), labelComplaints)),
    nodeSelector: z.exactOptional(selector()),
  }),
  function* (template): Generator<Complaint> {
    if (template.interfacePattern === undefined || (template.interfaceCIDRs ?? []).length === 0) return;
    yield {
      path: ['interfacePattern'],
      what: 'interfaceCIDRs is set too, and the two exclude each other',
      remedy: 'use two templates',
    };
  },
);

const node = z.strictObject({
  reconcilerPeriod: interval(),
  syncLabels: switched(),
  leakGracePeriod: interval(),
  hostEndpoint: z.exactOptional(
    z.strictObject({
      autoCreate: switched(),
      createDefaultHostEndpoint: switched(),
      templates: z.exactOptional(z.array(template)),
    }),
  ),
});

const spec = z.strictObject({
  logSeverityScreen: z.exactOptional(z.enum(['None', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'Panic'])),
  healthChecks: z.enum(['Enabled', 'Disabled']).prefault('Enabled'),
  etcdV3CompactionPeriod: interval(),
  prometheusMetricsPort: z.exactOptional(integer(0, 65_535)),
  debugProfilePort: z.exactOptional(integer(0, 65_535)),
  controllers: z.strictObject({
    node: z.exactOptional(node),
    policy: reconciled(),
    workloadEndpoint: reconciled(),
    serviceAccount: reconciled(),
    namespace: reconciled(),
    loadBalancer: z.exactOptional(
      z.strictObject({
        assignIPs: z.enum(['AllServices', 'RequestedServicesOnly']).prefault('AllServices'),
      }),
    ),
    policyMigration: z.exactOptional(
      z.strictObject({ enabled: z.enum(['Enabled', 'Disabled']).prefault('Enabled') }),
    ),
  }),
});

/** Written by the controllers: the configuration that they run with, from here and from their environment. */
const status = z.strictObject({
  environmentVars: z.exactOptional(z.record(z.string(), z.string())),
  runningConfig: z.exactOptional(spec),
});

export const kubeControllersConfiguration = {
  kind: 'KubeControllersConfiguration',
  plural: 'kubecontrollersconfigurations',
  shortNames: ['kubecontrollersconfig', 'kubecontrollersconfigs'],
  namespaced: false,
  schema: rules(
    resource('KubeControllersConfiguration', spec).extend({ status: z.exactOptional(status) }),
    onlyNamed('default'),
  ),
} as const satisfies KindNames<'KubeControllersConfiguration'> & { schema: z.ZodType };

export type KubeControllersConfiguration = z.output<typeof kubeControllersConfiguration.schema>;
