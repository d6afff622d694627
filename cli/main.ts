/** The entry of `poplin`. */
import { command } from './command.ts';
import { daemonCall } from './daemon-call.ts';
import { perform } from './failure.ts';
import { bgpdTable } from './tables/bgpd.ts';
import { systemTerminal } from './terminal.ts';

const argv = process.argv.slice(2);
const terminal = systemTerminal();
const daemon = argv[0] === 'bgpd' ? daemonCall(argv.slice(1), bgpdTable) : undefined;
if (daemon === undefined) {
  const { run } = await import('./run.ts');
  process.exitCode = await run(argv, terminal);
} else {
  const bgpd = command(bgpdTable, async () => (await import('./actions/bgpd.ts')).bgpd);
  process.exitCode = await perform(bgpd, daemon, terminal);
}
