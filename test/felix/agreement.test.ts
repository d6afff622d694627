/**
 * Random clusters loaded into a real kernel, one after the other: the kernel takes every rule that can come
 * out, what it then reports judges packets as the evaluator does, and a successor finds nothing to do.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Resource } from '../../api/index.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { Pipeline } from '../../felix-lite/daemon/pipeline.ts';
import {
  type Tally,
  NODE,
  NODE_VIEW,
  changesBetween,
  expectAgreement,
  valid,
} from '../../felix-lite/explain/testing/agreement.ts';
import { cluster, hostCluster } from '../../felix-lite/explain/testing/cluster.ts';
import { packet } from '../../felix-lite/explain/testing/packets.ts';
import { ipset, iptables, run } from '../../net/kernel/index.ts';
import { parseNftJson, tablesOf } from '../../felix-lite/explain/nft-json.ts';
import { TABLES } from '../../felix-lite/rules/tables.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';

for (const backend of ['nft', 'legacy', 'nftables'] as const) {
  const title = backend === 'nftables' ? backend : `iptables ${backend}`;
  describeOnKernel(`what the kernel holds, against the evaluator, ${title}`, function () {
    this.timeout(180_000);
    const namespace = freshNamespace();

    const create = async (): Promise<Pipeline> => {
      const pipeline = await Pipeline.create({
        node: NODE,
        netns: namespace.path(),
        settings: {
          ...readSettings(undefined, undefined),
          backend:
            backend === 'nftables'
              ? { nftables: true, iptables: undefined }
              : { nftables: false, iptables: backend },
        },
      });
      pipeline.putInterfaces(NODE_VIEW.interfaces);
      return pipeline;
    };

    it('agrees, over a chain of random clusters, and is stable', async () => {
      const tally: Tally = { allowed: 0, denied: 0 };
      const packets = fc.array(packet, { minLength: 20, maxLength: 20 });
      const pipeline = await create();
      let before: readonly Resource[] = [];
      await fc.assert(
        fc.asyncProperty(fc.oneof(cluster, hostCluster), packets, async (objects, sent) => {
          const after = objects.map(valid);
          pipeline.update(changesBetween(before, after));
          before = after;
          let applied = await pipeline.apply(false);
          expect(applied.failures).to.deep.equal([]);
          // Removals are put off in part; the successor would finish them behind our back.
          while (applied.leftover > 0) applied = await pipeline.apply(false);
          // Two endpoints may well claim one interface here, which is told and settled.
          expect(pipeline.problems.filter(({ code }) => code !== 'INTERFACE_SHARED')).to.deep.equal([]);
          await expectKernelAgrees(after, sent, tally);
          // What rests is among what packets were led through; a successor would remove it.
          if ((applied.resting ?? 0) > 0) {
            await pipeline.apply(false);
            await expectKernelAgrees(after, sent, tally);
          }
          const successor = await create();
          successor.update(changesBetween([], after));
          expect((await successor.apply(true)).steps).to.equal(0);
        }),
        { numRuns: 15, endOnFailure: true },
      );
      expect(Math.min(tally.allowed, tally.denied)).to.be.greaterThan(100);
    });

    async function expectKernelAgrees(
      resources: readonly Resource[],
      packets: Parameters<typeof expectAgreement>[1],
      tally: Tally,
    ): Promise<void> {
      const netns = namespace.path();
      if (backend === 'nftables') {
        for (const version of [4, 6] as const) {
          const table = ['table', version === 4 ? 'ip' : 'ip6', 'calico'];
          const ruleset = parseNftJson((await run('nft', ['-n', '-j', 'list', ...table], { netns })).stdout);
          const state = { tables: tablesOf(ruleset, version), sets: ruleset.sets };
          expectAgreement(resources, packets, version, state, tally);
        }
        return;
      }
      const saved = await ipset.save(undefined, { netns });
      const sets = new Map(saved.map(({ name, members }) => [name, new Set(members)]));
      for (const version of [4, 6] as const) {
        const held = await Promise.all(
          TABLES.map(async (table) => {
            const [saved] = await iptables.save(version, table, { netns, backend });
            return [table, new Map(saved?.chains.map(({ name, rules }) => [name, rules]))] as const;
          }),
        );
        expectAgreement(resources, packets, version, { tables: new Map(held), sets }, tally);
      }
    }
  });
}
