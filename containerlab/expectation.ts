/**
 * The expectation beside a topology, `NAME.expect.yml`: the workloads of the lab and who must reach whom.
 * It is written as an allow-list, so that a forgotten pair fails closed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type Problem, type Result, fail, ok } from '../api/problem.ts';
import { type FieldPath, Locator } from './topology/problems.ts';
import type { Topology } from './topology/topology.ts';

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/, 'must be lower-case letters, digits and "-"');

const schema = z.strictObject({
  port: z.number().int().min(1).max(65_535),
  workloads: z.record(
    name,
    z.strictObject({
      node: z.string(),
      namespace: name,
      labels: z.record(z.string(), z.string()).default({}),
    }),
  ),
  reachable: z.record(z.string(), z.array(z.string())),
});

export interface Expectation {
  /** TCP port on which every workload answers. */
  readonly port: number;
  readonly workloads: readonly Workload[];
  /** Whether a connection from one workload to the other must be possible. */
  reaches(from: string, to: string): boolean;
}

export interface Workload {
  readonly name: string;
  readonly node: string;
  /** The Kubernetes namespace, not the network's. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `topologies/quickstart.clab.yml` -> `topologies/quickstart.expect.yml`. */
export function expectationPath(topologyFile: string): string {
  return topologyFile.replace(/(\.clab)?\.ya?ml$/, '') + '.expect.yml';
}

/** `topologies/quickstart.clab.yml` -> `topologies/quickstart`, the manifests that belong to the lab. */
export function manifestsPath(topologyFile: string): string {
  return topologyFile.replace(/(\.clab)?\.ya?ml$/, '');
}

/** A lab without an expectation has no workloads. */
export function loadExpectation(topology: Topology): Result<Expectation | undefined> {
  const path = expectationPath(topology.file);
  if (!existsSync(path)) return ok(undefined);
  return parseExpectation(readFileSync(path, 'utf8'), path, topology);
}

export function parseExpectation(text: string, path: string, topology: Topology): Result<Expectation> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const where = new Locator(path, document, lines);
  const parsed = schema.safeParse(document.errors.length > 0 ? undefined : document.toJS());
  if (!parsed.success)
    return fail(
      ...parsed.error.issues.map((issue) =>
        where.problem(
          issue.path as FieldPath,
          undefined,
          issue.message,
          'see topologies/quickstart.expect.yml',
        ),
      ),
    );
  const { port, workloads, reachable } = parsed.data;
  const names = Object.keys(workloads);
  const problems: Problem[] = [];
  const nodes = topology.nodes.filter((node) => node.role === 'poplin').map((node) => node.name);
  for (const [workload, { node }] of Object.entries(workloads)) {
    if (!nodes.includes(node))
      problems.push(
        where.problem(
          ['workloads', workload, 'node'],
          node,
          `"${node}" is no Poplin node of the topology`,
          `name one of ${nodes.join(', ')}`,
        ),
      );
    if (topology.nodes.some((other) => other.name === workload))
      problems.push(
        where.problem(
          ['workloads', workload],
          workload,
          `"${workload}" is also the name of a node`,
          'give it another name',
        ),
      );
  }
  for (const [from, targets] of Object.entries(reachable))
    for (const [at, unknown] of [from, ...targets].entries())
      if (!names.includes(unknown))
        problems.push(
          where.problem(
            at === 0 ? ['reachable', from] : ['reachable', from, at - 1],
            unknown,
            `there is no workload "${unknown}"`,
            `name one of ${names.join(', ')}`,
          ),
        );
  if (problems.length > 0) return fail(...problems);
  const allowed = new Map(Object.entries(reachable).map(([from, targets]) => [from, new Set(targets)]));
  return ok({
    port,
    workloads: Object.entries(workloads).map(([name, rest]) => ({ name, ...rest })),
    reaches: (from, to) => allowed.get(from)?.has(to) ?? false,
  });
}
