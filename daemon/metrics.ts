/**
 * Metrics for Prometheus, read when somebody asks. A metric is a value that stands beside what it measures; a daemon
 * lists those it serves. Names and labels are an interface: they do not change, and `docs/metrics.md` is made of them.
 * Cardinality is bounded by whoever yields the samples.
 */

/** Text format 0.0.4. */
export const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8';

export interface Metric<Subject> {
  /** `poplin_<part>_<what>_<unit>`, `_total` for a counter. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** One sentence without its full stop. */
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (subject: Subject) => Iterable<Sample>;
}

export interface Sample {
  /** Values of the labels, in their order. */
  readonly labels: readonly string[];
  readonly value: number;
}

/** For a metric without labels. */
export function one(value: number): readonly Sample[] {
  return [{ labels: [], value }];
}

/** All metrics as text, in pieces. A metric that cannot be read now is left out. */
export function* exposition<Subject>(
  metrics: readonly Metric<Subject>[],
  subject: Subject,
): Generator<string, void> {
  for (const metric of metrics) {
    yield `# HELP ${metric.name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${metric.name} ${metric.type}\n`;
    for (const sample of metric.read(subject)) yield line(metric, sample);
  }
}

function line({ name, labels }: Pick<Metric<never>, 'name' | 'labels'>, sample: Sample): string {
  const pairs = labels.map((label, i) => `${label}="${escaped(sample.labels[i] ?? '')}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(sample.value)}\n`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}
