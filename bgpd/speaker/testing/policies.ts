/** Policies for tests. */
import type { Policy } from '../../filter/policy.ts';
import { prefix } from './world.ts';

/** Everything but this one prefix. */
export function allBut(cidr: string): Policy {
  return {
    rules: [
      { name: `not ${cidr}`, match: { prefix: { operator: 'Equal', cidr: prefix(cidr) } }, action: 'reject' },
    ],
    otherwise: 'accept',
  };
}
