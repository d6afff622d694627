/** bgp clear: has sessions come up anew, or routes told again. */
import type { Cleared, ClearMode } from '../../bgpd/speaker/clear.ts';
import type { Problem } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { tellProblems } from '../failure.ts';
import { structured } from '../output/structured.ts';
import { columns } from '../output/table.ts';
import { chooseSpeakers } from '../speakers.ts';
import type { bgpClearTable } from '../tables/bgp.ts';

const DEADLINE_MS = 60_000;

type ClearArguments = Arguments<typeof bgpClearTable>;
type ClearedThere = Cleared & { readonly node?: string };

export const bgpClear: Action<ClearArguments> = async (args, terminal) => {
  const url = `/clear?${queryOf(args).toString()}`;
  const cleared: ClearedThere[] = [];
  const refused: (readonly Problem[])[] = [];
  for (const { node, socket } of chooseSpeakers(args, terminal.env)) {
    const answer = await askControl<{ peers: readonly Cleared[] }>(socket, 'POST', url, {
      deadlineMs: DEADLINE_MS,
    });
    if (!answer.ok) refused.push(answer.problems);
    else cleared.push(...answer.value.peers.map((each) => (node === undefined ? each : { node, ...each })));
  }
  // A name may be there on some nodes of a lab only; a daemon that does not answer is told in any case.
  const missing = refused.filter((problems) => problems.every(({ code }) => code === 'NO_SUCH_NEIGHBOR'));
  const told = cleared.length > 0 ? refused.filter((problems) => !missing.includes(problems)) : refused;
  for (const problems of told) tellProblems(problems, terminal);
  if (cleared.length > 0) terminal.out(structured(cleared, args.output) ?? drawn(cleared));
  return told.length === 0 ? EXIT.ok : EXIT.failure;
};

/** @throws UsageError where the words contradict each other */
function queryOf({ neighbor, all, soft, family }: ClearArguments): URLSearchParams {
  if ((neighbor === undefined) !== all) throw new UsageError('name one neighbor, or say --all');
  if (family !== undefined && soft === undefined)
    throw new UsageError('--family goes with --soft: a session ends for all its families');
  const mode: ClearMode = soft === undefined ? 'hard' : soft === 'both' ? 'soft' : (soft as 'in' | 'out');
  const query = new URLSearchParams({ mode });
  if (neighbor !== undefined) query.set('neighbor', neighbor);
  else query.set('all', '1');
  if (family !== undefined) query.set('family', family);
  return query;
}

function drawn(cleared: readonly ClearedThere[]): string {
  return columns(
    ['NEIGHBOR', 'WHAT WAS DONE'],
    cleared.map((each) => [
      each.node === undefined ? each.peer : `${each.node}/${each.peer}`,
      describe(each),
    ]),
  );
}

function describe({ outcome, asked, judged, told }: Cleared): string {
  switch (outcome) {
    case 'reset':
      return 'session ended, and started again';
    case 'released':
      return 'let go: a prefix limit had held it down';
    case 'not-established':
      return 'nothing: there is no session, and the next one begins with all routes';
    case 'refreshed': {
      const done = [
        asked.length === 0 ? '' : `asked for ${asked.join(', ')}`,
        judged.length === 0 ? '' : `knows no ROUTE-REFRESH; import judged ${judged.join(', ')} again`,
        told.length === 0 ? '' : `told ${told.join(', ')} again`,
      ].filter((text) => text !== '');
      return done.length === 0 ? 'nothing: the session does not carry this family' : done.join('; ');
    }
  }
}
