/** What went wrong, for people: in words, and as octets that show it again. */
import type { Failure } from './campaign.ts';
import { hex } from './oracle/update.ts';

export function report({ seed, number, wrong, core }: Failure): string {
  return [
    `case ${number} of seed ${seed}, ${core.kind} peer:`,
    ...wrong.map((text) => `  ${text}`),
    'sent, one write a line:',
    ...core.writes.map((octets) => `  ${hex(octets)}`),
    `again: npm run fuzz -- bgp --seed ${seed} --case ${number}`,
    '',
  ].join('\n');
}
