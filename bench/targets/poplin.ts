/** Poplin's speaker alone, without datastore and kernel. */
import { join } from 'node:path';
import type { Target } from './target.ts';

export const poplin: Target = {
  name: 'Poplin',
  version: async () => `Node ${process.versions.node}`,
  files: (plan) => ({ 'plan.json': JSON.stringify(plan) }),
  command: (_, folder) => [
    process.execPath,
    '--import',
    join(import.meta.dirname, '../stall-probe.ts'),
    join(import.meta.dirname, 'poplin-router.ts'),
    `${folder}/plan.json`,
  ],
  probed: true,
};
