/** Proves a lab, step by step, and shows the proof: sessions, routes, traffic. */
import { PoplinError } from '../../api/problem.ts';
import type { Expectation } from '../expectation.ts';
import type { Interrupt } from '../runner/interrupt.ts';
import type { RunningLab } from '../runner/lab.ts';
import { until } from '../runner/until.ts';
import { columns } from '../terminal/screen.ts';
import type { Narrator } from '../terminal/steps.ts';
import { heldBlocks } from './blocks.ts';
import { lookAtRoutes, lookAtSessions } from './fabric.ts';
import { type Matrix, measureMatrix, wrongCells } from './matrix.ts';
import type { Block, RouteCheck } from './routes.ts';
import type { SessionPair } from './sessions.ts';

const CONVERGE_MS = 45_000;

export async function proveSessions(
  lab: RunningLab,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<void> {
  await narrator.step('Sessions', 'waiting for BGP, both sides of each session', async () => {
    let seen: SessionPair[] = [];
    const done = await until(
      async () => {
        seen = await lookAtSessions(lab);
        return seen.length > 0 && seen.every((pair) => pair.established) ? true : undefined;
      },
      { withinMs: CONVERGE_MS, everyMs: 200, check: interrupt.check },
    );
    if (done === undefined)
      throw new PoplinError(seen.filter((pair) => !pair.established).map(sessionProblem));
    return [`all ${seen.length} Established, seen from both sides`, ...bySpeakers(seen)].join('\n');
  });
}

function bySpeakers(pairs: readonly SessionPair[]): string[] {
  const links = Map.groupBy(pairs, ({ left, right }) => `${left} – ${right}`);
  const texts = [...links].map(
    ([link, both]) =>
      `${link} ${both
        .map(({ family }) => `v${family}`)
        .sort()
        .join(' ')}`,
  );
  return inRows(texts, 3);
}

function inRows(texts: readonly string[], perRow: number): string[] {
  const width = Math.max(...texts.map((text) => text.length)) + 3;
  const rows: string[] = [];
  for (let at = 0; at < texts.length; at += perRow)
    rows.push(
      texts
        .slice(at, at + perRow)
        .map((text) => text.padEnd(width))
        .join('')
        .trimEnd(),
    );
  return rows;
}

function sessionProblem({ left, right, family, leftState, rightState }: SessionPair) {
  return {
    code: 'SESSION_DOWN',
    resource: `${left} – ${right}`,
    what: `the IPv${family} session is ${leftState} at ${left} and ${rightState} at ${right}`,
    remedy: `ask both: poplin node status; poplin lab exec ${right} -- birdc show protocols (or vtysh -c "show bgp summary")`,
  };
}

/** @returns the blocks, for the steps that follow */
export async function proveRoutes(
  lab: RunningLab,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<readonly Block[]> {
  let blocks: readonly Block[] = [];
  await narrator.step('Routes', 'waiting for every block in every router', async () => {
    blocks = await heldBlocks(lab);
    const checks = await awaitRoutes(lab, blocks, interrupt);
    const told = `${blocks.length} blocks in every router's table by the right next hop, and in every node's kernel`;
    return `${told}\n${routeTable(blocks, checks)}`;
  });
  return blocks;
}

/** A row per block: whose it is, and by which neighbour each router reaches it. */
function routeTable(blocks: readonly Block[], checks: readonly RouteCheck[]): string {
  const names = [...new Set(checks.map(({ router }) => router))];
  const rows = blocks.map((block) => [
    block.prefix,
    `of ${block.node}`,
    ...names.map((name) => {
      const check = checks.find(
        ({ router, block: { prefix } }) => router === name && prefix === block.prefix,
      );
      return `${name} → ${check?.wantVia ?? '?'}`;
    }),
  ]);
  return columns(rows, '').trimEnd();
}

/**
 * @returns what each router's table has of each block
 * @throws PoplinError ROUTE_MISSING or ROUTE_WRONG, one for each that is not as it must be in time
 */
export async function awaitRoutes(
  lab: RunningLab,
  blocks: readonly Block[],
  interrupt: Interrupt,
): Promise<readonly RouteCheck[]> {
  let view = await lookAtRoutes(lab, blocks);
  const done = await until(
    async () => {
      view = await lookAtRoutes(lab, blocks);
      return blocks.length > 0 && view.missing.length === 0 && view.tables.every(({ right }) => right)
        ? true
        : undefined;
    },
    { withinMs: CONVERGE_MS, everyMs: 200, check: interrupt.check },
  );
  if (done !== undefined) return view.tables;
  throw new PoplinError([
    ...view.tables
      .filter(({ right }) => !right)
      .map(({ router, block, wantVia, nextHops }) => ({
        code: nextHops.length === 0 ? 'ROUTE_MISSING' : 'ROUTE_WRONG',
        resource: router,
        what:
          nextHops.length === 0
            ? `${block.prefix} of ${block.node} is not in its table`
            : `${block.prefix} of ${block.node} goes by ${nextHops.join(', ')}, which is not ${wantVia}`,
        remedy: 'compare with: poplin ipam show --show-blocks',
      })),
    ...view.missing.map(({ node, block }) => ({
      code: 'ROUTE_MISSING',
      resource: node,
      what: `${block.prefix} of ${block.node} is not in its kernel`,
      remedy: `look at: poplin lab exec ${node} -- ip route`,
    })),
    ...(blocks.length === 0
      ? [
          {
            code: 'NO_BLOCKS',
            what: 'no node holds an address block',
            remedy: 'see: poplin ipam show --show-blocks',
          },
        ]
      : []),
  ]);
}

const SETTLE_MS = 10_000;

/** Measures until the matrix is as it must be; what is still wrong after a while is what is returned. */
export async function proveTraffic(
  lab: RunningLab,
  expectation: Expectation,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<Matrix> {
  let matrix: Matrix = { names: [], cells: [] };
  await narrator.step('Traffic', 'every workload connects to every other, in IPv4 and IPv6', async () => {
    await until(
      async () => {
        matrix = await measureMatrix(lab, expectation);
        return wrongCells(matrix).length === 0 ? true : undefined;
      },
      { withinMs: SETTLE_MS, everyMs: 500, check: interrupt.check },
    );
    return tellMatrix(matrix);
  });
  return matrix;
}

export function tellMatrix(matrix: Matrix): string {
  const wrong = wrongCells(matrix).length;
  const open = matrix.cells.filter(({ got }) => got).length;
  const tried = `${matrix.cells.length} TCP connections tried: ${open} reached, ${matrix.cells.length - open} blocked`;
  return wrong === 0 ? `${tried}, each as expected` : `${tried}, ${wrong} not as expected`;
}
