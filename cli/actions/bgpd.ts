/** bgpd: checks the configuration, then becomes the daemon. */
import { routerSchema } from '../../bgpd/config/index.ts';
import { runAlone } from '../../bgpd/daemon/run-alone.ts';
import { readConfig } from '../../bgpd/daemon/standalone.ts';
import type { Level } from '../../daemon/log.ts';
import { type Action, type Arguments, EXIT, type ExitCode, UsageError } from '../command.ts';
import { describeWarning, tellProblems } from '../failure.ts';
import type { bgpdTable } from '../tables/bgpd.ts';

export const bgpd: Action<Arguments<typeof bgpdTable>> = async (args, terminal) => {
  if (args['print-schema']) {
    terminal.out(`${JSON.stringify(routerSchema(), undefined, 2)}\n`);
    return EXIT.ok;
  }
  const { config } = args;
  if (config === undefined) throw new UsageError('--config is missing: poplin bgpd --config FILE');
  const read = await readConfig(config);
  if (!read.ok) {
    tellProblems(read.problems, terminal);
    return EXIT.failure;
  }
  if (!args.check) {
    await runAlone(config, read.value, args['log-level'] as Level);
    return untilSignal();
  }
  for (const warning of read.value.warnings) terminal.err(describeWarning(warning));
  const { peers, originated } = read.value.setup.speaker;
  terminal.out(`${config} is good: ${peers.length} peers, ${originated.length} prefixes of our own\n`);
  return EXIT.ok;
};

/** The process ends by a signal, and not before. */
function untilSignal(): Promise<ExitCode> {
  return new Promise(() => undefined);
}
