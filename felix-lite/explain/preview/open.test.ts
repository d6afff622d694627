/** What flows, in words, against the evaluator, packet by packet, over random clusters. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { WorkloadEndpoint } from '../../../api/index.ts';
import { judge } from '../evaluate.ts';
import { valid } from '../testing/agreement.ts';
import { cluster } from '../testing/cluster.ts';
import { packet as anyPacket } from '../testing/packets.ts';
import { speaksOf } from '../testing/words.ts';
import { owns, World } from '../world.ts';
import { OpenFlows } from './open.ts';

const nameOf = ({ metadata }: WorkloadEndpoint): string => `${metadata.namespace ?? ''}/${metadata.name}`;

describe('flows that are open', function () {
  this.timeout(600_000);

  it('are those that the evaluator lets through, and no other', () => {
    const seen = { open: 0, closed: 0 };
    const packets = fc.array(anyPacket, { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(cluster, packets, (objects, sent) => {
        const world = new World(objects.map(valid));
        const flows = new OpenFlows(world, nameOf);
        for (const drawn of sent) {
          if (![6, 17, 132].includes(drawn.protocol) || drawn.destinationPort === 4789) continue;
          // As clients have them.
          const packet = { ...drawn, sourcePort: 49_152 };
          const [from, to] = [packet.source, packet.destination].map((address) =>
            world.workloads.find((each) => owns(world.workload(each), address)),
          );
          if (from === undefined || to === undefined || from === to) continue;
          const isOpen =
            judge(world, from, 'egress', packet).allowed && judge(world, to, 'ingress', packet).allowed;
          const words = flows.between(nameOf(from), nameOf(to));
          expect(speaksOf(words, packet), JSON.stringify({ packet, words })).to.equal(isOpen);
          seen[isOpen ? 'open' : 'closed']++;
        }
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.open, seen.closed)).to.be.greaterThan(50);
  });
});
