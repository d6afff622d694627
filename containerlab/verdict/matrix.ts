/** Who reaches whom: measured in both families from inside every workload, held against the expectation. */
import { PoplinError } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import type { Expectation } from '../expectation.ts';
import type { RunningLab } from '../runner/lab.ts';
import type { Knock, KnockResult } from '../workload/knock.ts';
import { controlSocket } from '../workload/workloads.ts';
import { PATIENCE } from '../runner/patience.ts';

/** A dropped SYN is sent again after 1 s; whoever has not answered the second one is not going to. */
const KNOCK_MS = 1500 * PATIENCE;

export interface Cell {
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly want: boolean;
  readonly got: boolean;
  /** Why not, or what was odd: a wrong name or an address that was changed on the way. */
  readonly remark: string | undefined;
}

export interface Matrix {
  readonly names: readonly string[];
  readonly cells: readonly Cell[];
}

/** All pairs at once; takes as long as the slowest answer, which is the silence of a blocked one. */
export async function measureMatrix(lab: RunningLab, expectation: Expectation): Promise<Matrix> {
  const names = expectation.workloads.map((workload) => workload.name);
  const rows = await Promise.all(names.map((from) => measureRow(lab, expectation, from, names)));
  return { names, cells: rows.flat() };
}

async function measureRow(
  lab: RunningLab,
  expectation: Expectation,
  from: string,
  names: readonly string[],
): Promise<Cell[]> {
  const own = lab.state.workloads[from]?.addresses;
  const targets = names
    .filter((to) => to !== from)
    .flatMap((to) => {
      const { ipv4, ipv6 } = lab.state.workloads[to]?.addresses ?? {};
      return [
        { to, family: 4 as const, address: ipv4, self: own?.ipv4 },
        { to, family: 6 as const, address: ipv6, self: own?.ipv6 },
      ];
    });
  const knocks = targets.map(
    ({ address = '' }): Knock => ({ address, port: expectation.port, timeoutMs: KNOCK_MS }),
  );
  const answer = await askControl<KnockResult[]>(controlSocket(lab.topology.name, from), 'POST', '/knock', {
    body: knocks,
    deadlineMs: KNOCK_MS + 5000 * PATIENCE,
  });
  if (!answer.ok) throw new PoplinError(answer.problems);
  return targets.map(({ to, family, self }, index): Cell => {
    const result = answer.value[index] ?? { outcome: 'silence' };
    const remark = remarkOn(result, to, self);
    return {
      from,
      to,
      family,
      want: expectation.reaches(from, to),
      got: result.outcome === 'open' && remark === undefined,
      remark,
    };
  });
}

/** Only the right workload counts, and only if it saw our own address: anything else was translated or tunnelled. */
function remarkOn(result: KnockResult, to: string, self: string | undefined): string | undefined {
  switch (result.outcome) {
    case 'silence':
      return undefined;
    case 'refused':
      return result.code;
    case 'open':
      if (result.name !== to) return `${result.name} answered`;
      return self !== undefined && result.seenAs !== self ? `seen as ${result.seenAs}` : undefined;
  }
}

export function wrongCells(matrix: Matrix): Cell[] {
  return matrix.cells.filter((cell) => cell.want !== cell.got);
}
