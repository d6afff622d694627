/** datastore check: everything that was there at one moment, looked at alone and together. Changes nothing. */
import type { IPPool, Node, Problem, Resource, WorkloadEndpoint } from '../../api/index.ts';
import { checkResources, checkStrays } from '../../datastore/check.ts';
import { type Entry } from '../../datastore/index.ts';
import { snapshot } from '../../datastore/migrate/index.ts';
import { usersOf } from '../../ipam/gc/index.ts';
import { auditIpam, type Cooldown } from '../../ipam/index.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { describeProblem } from '../failure.ts';
import { structured } from '../output/structured.ts';
import { checkIpam } from '../resources/ipam-world.ts';
import { cooldownOf, withStore } from '../store.ts';
import type { datastoreCheckTable } from '../tables/datastore.ts';

export const datastoreCheck: Action<Arguments<typeof datastoreCheckTable>> = async (args, terminal) => {
  const { entries, strays, cooldown } = await withStore(args, terminal, async (open) => ({
    entries: await snapshot(open.store),
    strays: (await open.store.strays?.()) ?? [],
    cooldown: await cooldownOf(open),
  }));
  const problems = [...problemsOf(entries, cooldown), ...checkStrays(strays)];
  const text = structured({ objects: entries.length, problems }, args.output);
  terminal.out(text ?? tell(entries.length, problems));
  return problems.length === 0 ? EXIT.ok : EXIT.failure;
};

function problemsOf(entries: readonly Entry[], cooldown: Cooldown): Problem[] {
  const { resources, problems } = checkResources(entries);
  const ofKind = <V>(kind: string): Entry<V>[] =>
    entries.filter(({ key }) => key.kind === kind) as readonly Entry[] as Entry<V>[];
  const pools = resources.filter((resource): resource is IPPool & Resource => resource.kind === 'IPPool');
  const users = usersOf(ofKind<Node>('Node'), ofKind<WorkloadEndpoint>('WorkloadEndpoint'));
  // What contradicts itself, and endpoints of nodes that are gone, are problems of their own.
  const findings = checkIpam(entries, pools, users, cooldown).findings.filter(
    ({ kind }) => kind !== 'inconsistent' && kind !== 'endpoint',
  );
  return [
    ...problems,
    ...auditIpam(entries).problems,
    ...findings.map(({ what, why }) => ({
      code: 'IPAM_FINDING',
      resource: what,
      what: why,
      remedy: 'see it again with poplin ipam check, and what may be done with poplin ipam release --help',
    })),
  ];
}

function tell(objects: number, problems: readonly Problem[]): string {
  if (problems.length === 0) return `${objects} objects: all can be read, and fit together.\n`;
  const counts = [...Map.groupBy(problems, ({ code }) => code)].map(([code, all]) => `${all.length} ${code}`);
  const total = `${problems.length} problem(s) in ${objects} objects: ${counts.join(', ')}. Nothing was changed.`;
  return `${problems.map(describeProblem).join('')}${total}\n`;
}
