/** Runs a node's `exec` commands, in order, as containerlab does after it has deployed the node. */
import { PoplinError } from '../../api/problem.ts';
import { CommandError, formatCommand } from '../../net/kernel/index.ts';
import type { Interrupt } from './interrupt.ts';
import { type OnNode, runOn } from './node.ts';

/** @throws PoplinError EXEC_FAILED naming the node and the command, or INTERRUPTED */
export async function configure(on: OnNode, interrupt: Interrupt): Promise<void> {
  for (const command of on.node.exec) {
    try {
      await runOn(on, command, { signal: interrupt.signal });
    } catch (error) {
      interrupt.check();
      if (!(error instanceof CommandError)) throw error;
      const said = error.stderr.trim();
      throw new PoplinError([
        {
          code: 'EXEC_FAILED',
          resource: on.node.name,
          field: `topology.nodes.${on.node.name}.exec`,
          value: formatCommand(command),
          what: `\`${formatCommand(command)}\` ${error.exitCode === undefined ? 'did not end by itself' : `exited with ${error.exitCode}`}${said === '' ? '' : `: ${said}`}`,
          remedy: `try it by hand with: poplin lab exec ${on.node.name} -- ${formatCommand(command)}`,
        },
      ]);
    }
  }
}
