/** One call of `poplin`, from arguments to exit code. */
import { EXIT, type ExitCode } from './command.ts';
import { COMMANDS } from './commands.ts';
import { perform } from './failure.ts';
import { parse } from './parse.ts';
import { release } from './release.ts';
import type { Terminal } from './terminal.ts';

/** What the completion script asks, followed by the words of the line so far. */
const COMPLETION_QUESTION = '--complete';

export async function run(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (argv[0] === COMPLETION_QUESTION) {
    const { complete } = await import('./completion.ts');
    terminal.out((await complete(argv.slice(1), COMMANDS, terminal)).map((word) => `${word}\n`).join(''));
    return EXIT.ok;
  }
  const parsed = await parse(argv, COMMANDS, {
    version: release(),
    width: terminal.columns === undefined ? undefined : Math.min(terminal.columns, 110),
  });
  switch (parsed.type) {
    case 'text':
      terminal.out(parsed.text);
      return EXIT.ok;
    case 'usage':
      terminal.err(`poplin: ${parsed.message}\nSee: poplin --help\n`);
      return EXIT.usage;
    case 'run':
      return perform(parsed.command, parsed.args, terminal);
  }
}
