/** What a change of resources, or of staged policies, would open or close. Nothing is written. */
import { type Resource, resourceText } from '../../api/index.ts';
import type { ResourceChange, ResourceChanged } from '../../datastore/index.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { type Preview, previewChange } from '../../felix-lite/explain/preview/preview.ts';
import { enforceStaged, isStaged, nameOf } from '../../felix-lite/explain/staged.ts';
import { readResources } from '../../felix-lite/explain/stored.ts';
import { DEFAULT_FAILSAFES, type Failsafes } from '../../felix-lite/rules/failsafe.ts';
import { type Action, type Arguments, EXIT, type ExitCode, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { drawPreview } from '../output/preview.ts';
import { structured } from '../output/structured.ts';
import { countResources } from '../resources/outcome.ts';
import { readPolicyResources, workloadName } from '../resources/policy-world.ts';
import { type OpenStore, withStore } from '../store.ts';
import type { policyPreviewTable } from '../tables/policy.ts';
import type { Terminal } from '../terminal.ts';

/** Of `apply` and `delete`, instead of what they do: checked as they check. */
export async function previewChanges(
  open: OpenStore,
  changes: readonly ResourceChange[],
  terminal: Terminal,
  format: string,
): Promise<ExitCode> {
  const planned = await open.client.preview(changes);
  if (!planned.ok) {
    tellProblems(planned.problems, terminal);
    return EXIT.failure;
  }
  const before = await readPolicyResources(open);
  const after = changedBy(before, planned.value);
  const flows = preview(before, after);
  const staged = planned.value.flatMap(({ outcome, resource }) => {
    if (outcome === 'deleted' || !isStaged(resource)) return [];
    const name = nameOf(resource.kind, resource);
    return [{ policy: name, ...enforcing(after, (each) => nameOf(each.kind, each) === name) }];
  });
  const resources = planned.value.map(({ outcome, resource }) => ({
    resource: resourceText(resource),
    outcome,
  }));
  const text = [
    `Preview of ${countResources(planned.value.map(({ resource }) => resource.kind))}: ${outcomes(planned.value)}. Nothing was written.\n`,
    drawPreview(flows),
    ...staged.map((each) => `\nIf ${each.policy} were enforced:\n${drawPreview(each)}`),
  ].join('');
  terminal.out(structured({ written: false, resources, ...flows, staged }, format) ?? text);
  return EXIT.ok;
}

export const policyPreview: Action<Arguments<typeof policyPreviewTable>> = async (args, terminal) => {
  if (args.names.length === 0 && !args.all)
    throw new UsageError('name staged policies, or give --all: poplin policy preview db-in -n shop');
  const resources = await withStore(args, terminal, readPolicyResources);
  const wanted = resources.filter(
    (each) =>
      isStaged(each) &&
      (args.namespace === undefined || each.metadata.namespace === args.namespace) &&
      (args.all || args.names.includes(each.metadata.name)),
  );
  const missing = args.names.filter((name) => !wanted.some(({ metadata }) => metadata.name === name));
  if (missing.length > 0)
    throw new UsageError(
      `there is no staged policy ${missing.join(', ')}; see: poplin get stagednetworkpolicies -A`,
    );
  const chosen = new Set(wanted);
  const flows = enforcing(resources, (each) => chosen.has(each));
  const policies = wanted.map((each) => nameOf(each.kind, each));
  const title =
    policies.length === 0 ? 'There are no staged policies.\n' : `If ${policies.join(', ')} were enforced:\n`;
  terminal.out(structured({ policies, ...flows }, args.output) ?? `${title}${drawPreview(flows)}`);
  return EXIT.ok;
};

function enforcing(resources: readonly Resource[], chosen: Parameters<typeof enforceStaged>[1]): Preview {
  return preview(resources, enforceStaged(resources, chosen).resources);
}

function preview(before: readonly Resource[], after: readonly Resource[]): Preview {
  const failsafes = [before, after].map(failsafesIn);
  return previewChange(before, after, {
    names: workloadName,
    failsafes: (time, node) => failsafes[time]?.(node) ?? DEFAULT_FAILSAFES,
  });
}

/** As the configurations among the resources say, the node's before the cluster's. */
function failsafesIn(resources: readonly Resource[]): (node: string) => Failsafes {
  const configurations = new Map(
    resources.flatMap((each) =>
      each.kind === 'FelixConfiguration' ? [[each.metadata.name, each] as const] : [],
    ),
  );
  const known = new Map<string, Failsafes>();
  return (node) => {
    const found =
      known.get(node) ??
      readSettings(configurations.get('default'), configurations.get(`node.${node}`)).rules.failsafes;
    known.set(node, found);
    return found;
  };
}

function changedBy(before: readonly Resource[], changed: readonly ResourceChanged[]): readonly Resource[] {
  const touched = new Set(changed.map(({ resource }) => nameOf(resource.kind, resource)));
  const put = changed.flatMap(({ outcome, resource }) => (outcome === 'deleted' ? [] : [resource]));
  return [...before.filter((each) => !touched.has(nameOf(each.kind, each))), ...readResources(put)];
}

function outcomes(changed: readonly ResourceChanged[]): string {
  return (['created', 'updated', 'unchanged', 'deleted'] as const)
    .flatMap((outcome) => {
      const count = changed.filter((one) => one.outcome === outcome).length;
      return count === 0
        ? []
        : [`${count} would be ${outcome === 'unchanged' ? 'left as they are' : outcome}`];
    })
    .join(', ');
}
