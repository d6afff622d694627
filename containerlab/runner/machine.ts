/** What the machine must have before a lab can stand on it. */
import { existsSync } from 'node:fs';
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import type { Topology } from '../topology/topology.ts';
import { ROLES } from './roles.ts';

export function checkMachine(topology: Topology): Result<void> {
  if (process.getuid?.() !== 0)
    return fail({
      code: 'NOT_ROOT',
      what: 'a lab needs root: it makes network namespaces and routes',
      remedy: 'run the command with sudo',
    });
  const roles = [...new Set(topology.nodes.map((node) => node.role))];
  const missing = roles.flatMap((role) =>
    ROLES[role].programs
      .filter((program) => !existsSync(program))
      .map(
        (program): Problem => ({
          code: 'PROGRAM_MISSING',
          value: program,
          what: `this machine has no ${program}, which a ${role} node needs`,
          remedy: 'install it with: npm run setup',
        }),
      ),
  );
  return missing.length > 0 ? fail(...missing) : ok(undefined);
}
