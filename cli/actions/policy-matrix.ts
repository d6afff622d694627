/** policy matrix: who may talk to whom, from the evaluator of policy over what the datastore holds. */
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { structured } from '../output/structured.ts';
import {
  type Asked,
  type End,
  endOfWorkload,
  packetsBetween,
  readAsked,
  readPolicyResources,
} from '../resources/policy-world.ts';
import { withStore } from '../store.ts';
import type { policyMatrixTable } from '../tables/policy.ts';

export const policyMatrix: Action<Arguments<typeof policyMatrixTable>> = async (args, terminal) => {
  const namespace = args.namespace ?? 'default';
  const asked = readAsked(args.protocol, args.port);
  const world = new World(await withStore(args, terminal, readPolicyResources));
  const ends = world.workloads
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map((endpoint) => endOfWorkload(world, endpoint))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = ends.map((from) => ({
    from: from.name,
    to: Object.fromEntries(
      ends.filter((to) => to !== from).map((to) => [to.name, wordFor(world, from, to, asked)]),
    ),
  }));
  const text = structured(rows, args.output);
  if (text !== undefined || ends.length === 0) {
    terminal.out(text ?? `no workloads in namespace ${namespace}\n`);
    return EXIT.ok;
  }
  const table = [
    ['FROM \\ TO', ...ends.map(({ name }) => name)],
    ...rows.map(({ from, to }) => [from, ...ends.map(({ name }) => to[name] ?? '-')]),
  ];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  terminal.out(
    table
      .map((row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .map((line) => `${line}\n`)
      .join(''),
  );
  return EXIT.ok;
};

/** `yes`, `no`, or the IP versions in which it may. */
function wordFor(world: World, from: End, to: End, asked: Asked): string {
  const packets = packetsBetween(from, to, asked);
  const passing = packets.filter(
    (packet) =>
      (from.endpoint === undefined || judge(world, from.endpoint, 'egress', packet).allowed) &&
      (to.endpoint === undefined || judge(world, to.endpoint, 'ingress', packet).allowed),
  );
  if (passing.length === 0) return 'no';
  return passing.length === packets.length
    ? 'yes'
    : passing.map(({ source }) => `IPv${source.version}`).join(',');
}
