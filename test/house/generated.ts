/**
 * Files that are derived from code and kept in the tree for people and editors.
 * `npm run generate` writes them; `generated.test.ts` fails when one is stale.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { type KindInfo, KINDS } from '../../api/index.ts';
import { routerSchema } from '../../bgpd/config/index.ts';
import { BGPD_METRICS } from '../../bgpd/daemon/metrics.ts';
import { FELIX_METRICS } from '../../felix-lite/daemon/metrics.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { AGENT_METRICS } from '../../node/metrics.ts';
import { customResourceDefinitions } from '../../datastore/kubernetes/definitions.ts';
import { roleManifests } from '../../datastore/kubernetes/roles.ts';
import { errorTable } from '../../bgpd/wire/index.ts';
import { commandReference } from './command-reference.ts';
import { configReference } from './config-reference.ts';
import { errorReference } from './error-reference.ts';
import { metricsReference } from './metrics-reference.ts';
import { RFCS } from '../conformance/bgp.ts';
import { rfcReference } from './rfc-reference.ts';

export interface Generated {
  /** Path from the root. */
  readonly path: string;
  readonly content: string;
}

export function generatedFiles(): readonly Generated[] {
  return [
    ...KINDS.map((info) => ({
      path: `docs/schemas/${info.kind}.json`,
      content: `${JSON.stringify(jsonSchema(info), undefined, 2)}\n`,
    })),
    { path: 'docs/cli.md', content: commandReference(COMMANDS) },
    {
      path: 'deploy/crds.yaml',
      content: manifests('Custom resources that Poplin shares with Calico', customResourceDefinitions()),
    },
    { path: 'deploy/rbac.yaml', content: manifests('What Poplin may do on an API server', roleManifests()) },
    { path: 'docs/metrics.md', content: metricsReference(BGPD_METRICS, FELIX_METRICS, AGENT_METRICS) },
    { path: 'docs/bgp-errors.md', content: errorReference(errorTable()) },
    { path: 'docs/bgp-rfcs.md', content: rfcReference(RFCS) },
    {
      path: 'docs/bgpd.md',
      content: configReference(
        routerSchema(),
        readFileSync(join(import.meta.dirname, 'bgpd-introduction.md'), 'utf8'),
      ),
    },
  ];
}

function manifests(title: string, objects: readonly object[]): string {
  const options = { lineWidth: 0, aliasDuplicateObjects: false };
  const texts = objects.map((object) => stringify(object, options));
  return `# ${title}. Generated: npm run generate\n${texts.join('---\n')}`;
}

/** For editors: completion and first checks while typing. What `poplin apply` checks goes further. */
function jsonSchema({ kind, written, schema }: KindInfo): object {
  const { properties, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    unrepresentable: 'any',
  });
  return {
    title: kind,
    ...rest,
    properties: { ...properties, kind: { type: 'string', const: written.kind } },
  };
}
