/** A step of each test of a way between nodes: policy judges the packet that a workload sent, whatever carries it. */
import { expect } from 'chai';
import { type Fabric, workload } from './fabric.ts';

const POLICY = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'GlobalNetworkPolicy',
  metadata: { name: 'not-from-a1' },
  spec: {
    selector: "on == 'b1'",
    ingress: [{ action: 'Deny', source: { selector: "on == 'a1'" } }, { action: 'Allow' }],
  },
};

export async function holdsPolicyToTheInnerPacket(fabric: Fabric): Promise<void> {
  const to = workload('b1', 4);
  const asked = (): Promise<boolean> => fabric.answers('a1', to);
  await fabric.until('allowed', asked, Boolean);
  await fabric.apply(POLICY);
  await fabric.until('denied', asked, (answered) => !answered);
  await fabric.until('another allowed', () => fabric.answers('a2', to), Boolean);
  // It is policy that denies it, and not a packet that came late.
  expect(await asked()).to.equal(false);
  await fabric.remove('GlobalNetworkPolicy', POLICY.metadata.name);
  await fabric.until('allowed again', asked, (answered) => answered);
}
