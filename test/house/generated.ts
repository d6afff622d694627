/**
 * Files that are derived from code and kept in the tree for people and editors.
 * `npm run generate` writes them; `generated.test.ts` fails when one is stale.
 */
import { z } from 'zod';
import { KINDS } from '../../api/index.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { commandReference } from './command-reference.ts';

export interface Generated {
  /** Path from the root. */
  readonly path: string;
  readonly content: string;
}

export function generatedFiles(): readonly Generated[] {
  return [
    ...KINDS.map(({ kind, schema }) => ({
      path: `docs/schemas/${kind}.json`,
      content: `${JSON.stringify(jsonSchema(kind, schema), undefined, 2)}\n`,
    })),
    { path: 'docs/cli.md', content: commandReference(COMMANDS) },
  ];
}

/** For editors: completion and first checks while typing. What `poplin apply` checks goes further. */
function jsonSchema(kind: string, schema: z.ZodType): object {
  return {
    title: kind,
    ...z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }),
  };
}
