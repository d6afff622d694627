/** ClusterInformation: what the system says about itself. There is one, named `default`. */
import { z } from 'zod';
import { rules } from '../schema/field.ts';
import { type KindNames, resource } from './kind.ts';
import { onlyNamed } from './naming.ts';

const spec = z.strictObject({
  clusterGUID: z.exactOptional(z.string()),
  clusterType: z.exactOptional(z.string()),
  calicoVersion: z.exactOptional(z.string()),
  datastoreReady: z.exactOptional(z.boolean()),
  variant: z.exactOptional(z.string()),
});

export const clusterInformation = {
  kind: 'ClusterInformation',
  plural: 'clusterinformations',
  shortNames: ['clusterinfo', 'clusterinfos'],
  namespaced: false,
  schema: rules(resource('ClusterInformation', spec.prefault({})), onlyNamed('default')),
} as const satisfies KindNames<'ClusterInformation'> & { schema: z.ZodType };

export type ClusterInformation = z.output<typeof clusterInformation.schema>;
