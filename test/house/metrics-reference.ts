/** docs/metrics.md, from the metrics themselves. */
import type { Metric } from '../../daemon/metrics.ts';

const INTRODUCTION = `# Metrics

Made by \`npm run generate\` from the metrics that bgpd serves.

bgpd serves them for Prometheus at \`GET /metrics\` on its control socket, and on a TCP port where it is told to:
\`--metrics 9179\` (the loopback) or \`--metrics 10.0.0.1:9179\`, for the bgpd of a node also by the variable
\`POPLIN_BGPD_METRICS\`.

\`\`\`sh
curl --unix-socket /run/poplin/bgpd.sock http://bgpd/metrics
\`\`\`

Names and labels do not change. The values of \`peer\` are the names of peers, of at most 10,000 of them; all other labels
have few values that are known beforehand.
`;

type Described = Pick<Metric<never>, 'name' | 'type' | 'help' | 'labels'>;

export function metricsReference(metrics: readonly Described[]): string {
  const rows = metrics.map(
    ({ name, type, help, labels }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return [INTRODUCTION, '| Metric | Type | Labels | |', '|---|---|---|---|', ...rows, ''].join('\n');
}
