/** bgp reload: asks the daemon to read its file again, and says what that did to whom. */
import type { Reloaded } from '../../bgpd/daemon/standalone.ts';
import { askControl } from '../../daemon/control.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { describeWarning, tellProblems } from '../failure.ts';
import { structured } from '../output/structured.ts';
import { columns } from '../output/table.ts';
import type { bgpReloadTable } from '../tables/bgpd.ts';

/** A file with thousands of peers and long filters takes its time. */
const DEADLINE_MS = 60_000;

export const bgpReload: Action<Arguments<typeof bgpReloadTable>> = async (args, terminal) => {
  const url = args['dry-run'] ? '/reload?pretend=true' : '/reload';
  const answer = await askControl<Reloaded>(args.socket, 'POST', url, { deadlineMs: DEADLINE_MS });
  if (!answer.ok) {
    tellProblems(answer.problems, terminal);
    return EXIT.failure;
  }
  for (const warning of answer.value.warnings) terminal.err(describeWarning(warning));
  terminal.out(structured(answer.value, args.output) ?? drawn(answer.value, args['dry-run']));
  return EXIT.ok;
};

const ACTIONS: Readonly<Record<Reloaded['peers'][number]['action'], string>> = {
  added: 'added',
  removed: 'removed',
  restarted: 'session restarted',
  policy: 'policy re-evaluated',
  updated: 'updated, session kept',
  nothing: 'nothing',
};

function drawn({ peers, router, waiting }: Reloaded, pretend: boolean): string {
  const rows = peers.map(({ peer, action, changes }) => [
    peer,
    ACTIONS[action],
    changes.map(({ field }) => field).join(', '),
  ]);
  return [
    pretend ? 'This is what would happen.\n' : '',
    router.length === 0 ? '' : `changed for the whole router: ${router.join(', ')}\n`,
    waiting.length === 0 ? '' : `counts from the next start on: ${waiting.join(', ')}\n`,
    columns(['PEER', 'WHAT HAPPENS', 'BECAUSE OF'], rows),
  ].join('');
}
