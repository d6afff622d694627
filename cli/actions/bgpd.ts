/** bgpd: checks the configuration, then becomes the daemon. */
import { unwrap } from '../../api/problem.ts';
import { readConfig } from '../../bgpd/daemon/read-config.ts';
import { runAlone } from '../../bgpd/daemon/run-alone.ts';
import type { Level } from '../../daemon/log.ts';
import { parseMetricsEndpoint } from '../../daemon/metrics-server.ts';
import { type Action, type Arguments, EXIT, type ExitCode, UsageError } from '../command.ts';
import { describeWarning, tellProblems } from '../failure.ts';
import type { bgpdTable } from '../tables/bgpd.ts';

export const bgpd: Action<Arguments<typeof bgpdTable>> = async (args, terminal) => {
  if (args['print-schema']) {
    // With all that the schema is made of, which a daemon has no use for.
    const { routerSchema } = await import('../../bgpd/config/index.ts');
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
    const metrics = args.metrics === undefined ? undefined : unwrap(parseMetricsEndpoint(args.metrics));
    await runAlone(config, read.value, { level: args['log-level'] as Level, metrics });
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
