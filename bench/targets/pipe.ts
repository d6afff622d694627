/** No router at all: the generator against itself. README.md says in which scenarios that is a floor. */
import { join } from 'node:path';
import type { Target } from './target.ts';

export const pipe: Target = {
  name: 'pipe',
  version: () => Promise.resolve('copies octets'),
  files: (plan) => ({ 'plan.json': JSON.stringify(plan) }),
  command: (_, folder) => [
    process.execPath,
    join(import.meta.dirname, 'pipe-router.ts'),
    `${folder}/plan.json`,
  ],
};
