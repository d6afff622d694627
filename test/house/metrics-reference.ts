/** docs/metrics.md, from the metrics themselves. */
import type { Metric } from '../../daemon/metrics.ts';

const INTRODUCTION = `# Metrics

Made by \`npm run generate\` from the metrics that the daemons serve.

bgpd, felix-lite and the node agent serve them for Prometheus at \`GET /metrics\` on their control sockets, and on a TCP port
where they are told to: \`--metrics 9179\` (the loopback) or \`--metrics 10.0.0.1:9179\`; for the daemons of a node also by the
variables \`POPLIN_BGPD_METRICS\` and \`POPLIN_FELIX_METRICS\`, for the agent by \`POPLIN_NODE_METRICS\`. felix-lite serves
them, too, where FelixConfiguration asks for it (\`prometheusMetricsEnabled\`, \`prometheusMetricsHost\`, \`prometheusMetricsPort\`).

\`\`\`sh
curl --unix-socket /run/poplin/bgpd.sock http://bgpd/metrics
curl --unix-socket /run/poplin/felix.sock http://felix/metrics
curl --unix-socket /run/poplin/agent.sock http://agent/metrics
\`\`\`

Names and labels do not change. The values of \`peer\` are the names of peers, of at most 10,000 of them; those of felix-lite's
labels are of at most 10,000 rules of policies and 1,000 problems; all other labels have few values that are known beforehand.
`;

type Described = Pick<Metric<never>, 'name' | 'type' | 'help' | 'labels'>;

export function metricsReference(
  bgpd: readonly Described[],
  felix: readonly Described[],
  agent: readonly Described[],
): string {
  return [
    INTRODUCTION,
    '## bgpd',
    '',
    ...tableOf(bgpd),
    '',
    '## felix-lite',
    '',
    ...tableOf(felix),
    '',
    '## The node agent',
    '',
    ...tableOf(agent),
    '',
  ].join('\n');
}

function tableOf(metrics: readonly Described[]): string[] {
  const rows = metrics.map(
    ({ name, type, help, labels }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return ['| Metric | Type | Labels | |', '|---|---|---|---|', ...rows];
}
