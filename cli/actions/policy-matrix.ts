/** policy matrix: who may talk to whom, from the evaluator of policy over what the datastore holds. */
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { OpenFlows } from '../../felix-lite/explain/preview/open.ts';
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
  workloadName,
} from '../resources/policy-world.ts';
import { withStore } from '../store.ts';
import type { policyMatrixTable } from '../tables/policy.ts';

/** Kinds of traffic in a cell. */
const NAMED = 3;

export const policyMatrix: Action<Arguments<typeof policyMatrixTable>> = async (args, terminal) => {
  const namespace = args.namespace ?? 'default';
  const world = new World(await withStore(args, terminal, readPolicyResources));
  const ends = world.workloads
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map((endpoint) => endOfWorkload(world, endpoint))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const ask = questionOf(world, args);
  const rows = ends.map((from) => ({
    from: from.name,
    to: Object.fromEntries(ends.filter((to) => to !== from).map((to) => [to.name, ask(from, to)])),
  }));
  const text = structured(rows, args.output);
  if (text !== undefined || ends.length === 0) {
    terminal.out(text ?? `no workloads in namespace ${namespace}\n`);
    return EXIT.ok;
  }
  const table = [
    ['FROM \\ TO', ...ends.map(({ name }) => name)],
    ...rows.map(({ from, to }) => [from, ...ends.map(({ name }) => wordOf(to[name]))]),
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

type Answer = string | readonly string[];

/** One kind of traffic where one is asked for, else all. */
function questionOf(
  world: World,
  { protocol, port }: Arguments<typeof policyMatrixTable>,
): (from: End, to: End) => Answer {
  if (protocol === undefined && port === undefined) {
    const flows = new OpenFlows(world, workloadName);
    return (from, to) => flows.between(from.name, to.name);
  }
  const asked = readAsked(protocol ?? 'tcp', port);
  return (from, to) => wordFor(world, from, to, asked);
}

/** What a cell has room for. */
function wordOf(answer: Answer | undefined): string {
  if (answer === undefined) return '-';
  if (typeof answer === 'string') return answer;
  if (answer.length === 0) return 'no';
  const rest = answer.length - NAMED;
  return answer.slice(0, NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

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
