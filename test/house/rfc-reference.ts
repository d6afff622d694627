/** docs/bgp-rfcs.md, from the table whose proofs the tests check. */
import type { Demand, Rfc } from '../conformance/bgp.ts';

const INTRODUCTION = `# What the RFCs ask of the BGP speaker

Made by \`npm run generate\` from \`test/conformance/bgp.ts\`: each demand in our words, and the tests that fail where it is not
met, or why it does not concern this speaker. What a malformed UPDATE leads to, error by error, is in
[bgp-errors.md](bgp-errors.md).
`;

export function rfcReference(rfcs: readonly Rfc[]): string {
  return [INTRODUCTION, ...rfcs.flatMap(section)].join('\n');
}

function section({ number, title, demands }: Rfc): string[] {
  return [
    `## RFC ${number}: ${title}`,
    '',
    '| Section | | Demand | Proof |',
    '|---|---|---|---|',
    ...demands.map(
      (demand) => `| ${demand.section} | ${demand.level} | ${demand.asks} | ${proofOf(demand)} |`,
    ),
    '',
  ];
}

function proofOf({ proof = [], beside }: Demand): string {
  if (beside !== undefined) return `none: ${beside}`;
  return proof
    .map((each) => {
      const [file = '', ...title] = each.split(': ');
      return `\`${file}\`: ${title.join(': ')}`;
    })
    .join('<br>');
}
