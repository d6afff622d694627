/** Reads a `.clab.yml`: text -> checked {@link Topology}, or every problem found, each with its line. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { type Problem, type Result, fail, ok } from '../../api/problem.ts';
import { checkLinks, checkNodes } from './check.ts';
import { describeIssues } from './issues.ts';
import { Locator } from './problems.ts';
import { CONTAINER_ONLY, topologySchema } from './schema.ts';
import type { Topology } from './topology.ts';

export function loadTopology(path: string): Result<Topology> {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return fail({
      code: 'TOPOLOGY_UNREADABLE',
      value: path,
      what: missing ? `there is no topology file ${path}` : `${path} cannot be read: ${String(error)}`,
      remedy: 'name a .clab.yml file, for instance topologies/quickstart.clab.yml',
    });
  }
  return parseTopology(text, file, path);
}

/** @param shown  the file's name as the author knows it, for messages */
export function parseTopology(text: string, file: string, shown: string = file): Result<Topology> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    return fail(
      ...document.errors.map((error): Problem => {
        const { line, col } = lines.linePos(error.pos[0]);
        return {
          code: 'TOPOLOGY_INVALID',
          what: `not YAML: ${error.message.split('\n')[0]}`,
          remedy: 'mend the line; YAML is sensitive to indentation and forbids repeated keys',
          at: { file: shown, line, column: col },
        };
      }),
    );
  }
  const where = new Locator(shown, document, lines);
  const raw: unknown = document.toJS();
  const parsed = topologySchema.safeParse(raw);
  if (!parsed.success) return fail(...describeIssues(parsed.error.issues, raw, where));

  const nodes = checkNodes(parsed.data, file, where);
  const links = checkLinks(parsed.data, where);
  if (!nodes.ok || !links.ok)
    return fail(...(nodes.ok ? [] : nodes.problems), ...(links.ok ? [] : links.problems));
  const { defaults, kinds, groups, nodes: given } = parsed.data.topology;
  const keys = [defaults, ...[kinds, groups, given].flatMap((part) => Object.values(part ?? {}))].flatMap(
    (part) => Object.keys(part ?? {}),
  );
  const ignored = CONTAINER_ONLY.filter((key) => keys.includes(key));
  return ok({ name: parsed.data.name, file, nodes: nodes.value, links: links.value, ignored });
}
