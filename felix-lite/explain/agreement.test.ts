/**
 * Random clusters, policies and packets: what the generated rules do with a packet is what the evaluator,
 * which knows nothing of calc and rules, says. And what calc and rules say does not depend on how the cluster
 * came to be.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { changesBetween, expectAgreement, valid } from './testing/agreement.ts';
import { cluster, hostCluster } from './testing/cluster.ts';
import { built, VERSIONS } from './testing/kernel.ts';
import { packet } from './testing/packets.ts';

describe('rules against the evaluator', function () {
  this.timeout(600_000);

  const worlds = [
    ['clusters', cluster, 300],
    ['policies of hosts, in every place', hostCluster, 200],
  ] as const;
  for (const [what, world, numRuns] of worlds)
    it(`agree on random ${what}`, () => {
      const tally = { allowed: 0, denied: 0 };
      const packets = fc.array(packet, { minLength: 12, maxLength: 12 });
      fc.assert(
        fc.property(world, packets, (objects, sent) => {
          const resources = objects.map(valid);
          const kernel = built(resources);
          for (const version of VERSIONS) {
            const state = { tables: kernel.held(version), sets: kernel.inKernel(version) };
            expectAgreement(resources, sent, version, state, tally);
          }
        }),
        { numRuns },
      );
      expect(tally.allowed).to.be.greaterThan(1000);
      expect(tally.denied).to.be.greaterThan(1000);
    });

  it('come out the same whatever the way that led there', () => {
    const way = fc.array(fc.record({ at: fc.nat(1000), stop: fc.boolean() }), {
      minLength: 60,
      maxLength: 60,
    });
    fc.assert(
      fc.property(cluster, cluster, way, (before, after, steps) => {
        const [first, second] = [before.map(valid), after.map(valid)];
        const kernel = built(first);
        const shuffled = changesBetween(first, second)
          .map((change, index) => ({ change, ...(steps[index % steps.length] ?? { at: 0, stop: true }) }))
          .sort((a, b) => a.at - b.at);
        for (const { change, stop } of shuffled) {
          kernel.calculator.update([change]);
          if (stop) kernel.take();
        }
        kernel.take();
        expect(kernel.everything()).to.deep.equal(built(second).everything());
      }),
      { numRuns: 100 },
    );
  });
});
