/** docs/bgp-errors.md, from the table that the decoder obeys. */
import type { ErrorRow } from '../../bgpd/wire/attributes/table.ts';

const INTRODUCTION = `# What a malformed UPDATE leads to

Made by \`npm run generate\` from \`bgpd/wire/attributes/\`: the decoder obeys this table, and the tests walk it.

\`session-reset\`: a NOTIFICATION with Error Code 3 and the subcode given, and the session is over. \`treat-as-withdraw\`: the
session stays, and the prefixes that the UPDATE announces are withdrawn. \`attribute-discard\`: the attribute is dropped and
the rest of the UPDATE stands. Of several errors in one UPDATE the strongest outcome counts (RFC 7606 §3 h); of a repeated
attribute the first one counts. An UPDATE that announces nothing, withdraws by more than a lone MP_UNREACH_NLRI, and has an
error to be treated as withdraw ends the session all the same: prefixes may be hidden in it (RFC 7606 §5.2).

Unknown optional attributes are no error: transitive ones are passed on with the Partial bit, others are ignored. Each
malformed UPDATE is in the log with the attribute, the octet, the outcome, its prefixes and all its octets, for
\`poplin bgp decode\` (RFC 7606 §6); a peer that sends many gets ten lines a minute.
`;

export function errorReference(rows: readonly ErrorRow[]): string {
  return [
    INTRODUCTION,
    '| Attribute | Error | From peers | Outcome | Subcode | Source |',
    '|---|---|---|---|---|---|',
    ...rows.map(
      ({ attribute, when, peers, outcome, subcode, source }) =>
        `| ${attribute} | ${when} | ${peers} | ${outcome} | ${outcome === 'session-reset' ? subcode : ''} | ${source} |`,
    ),
    '',
  ].join('\n');
}
