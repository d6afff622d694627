/** Many flows at once, each with what has to become of it. */
import { expect } from 'chai';
import type { TestNode } from './node.ts';
import type { Flow } from './wire.ts';

export interface Asked {
  readonly name: string;
  readonly flow: Flow;
}

export interface Tally {
  readonly passed: number;
  readonly stopped: number;
}

/** @throws with the first of those flows that arrived and should not have, or did not and should have */
export async function expectPackets(node: TestNode, asked: readonly Asked[]): Promise<Tally> {
  // What has no ports is the same flow each time, and conntrack would let it go on.
  await node.run('conntrack', '-F');
  const outcomes = await node.network.wire.volley(asked.map(({ flow }) => flow));
  const wrong: string[] = [];
  const tally = { passed: 0, stopped: 0 };
  for (const [at, { name, flow }] of asked.entries()) {
    const { arrived, answered } = outcomes[at] ?? { arrived: false, answered: false };
    tally[arrived ? 'passed' : 'stopped']++;
    if (arrived !== flow.expected) wrong.push(`${name} ${arrived ? 'passed' : 'was stopped'}`);
    else if (arrived && !answered) wrong.push(`${name}: its answer was stopped`);
  }
  expect(wrong.slice(0, 20).join('\n'), `${wrong.length} of ${asked.length} flows`).to.equal('');
  return tally;
}
