/**
 * What `explain` says of the rules in a kernel: on random clusters the same as the evaluator, on every backend; and an
 * alarm where somebody has taken a rule away.
 */
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Resource, unwrap } from '../../api/index.ts';
import { commandLine } from '../../cli/testing.ts';
import { serveControl } from '../../daemon/control.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { type Explainable, explain } from '../../felix-lite/daemon/explain.ts';
import { Pipeline } from '../../felix-lite/daemon/pipeline.ts';
import { readKernel } from '../../felix-lite/explain/kernel/read.ts';
import {
  NODE,
  NODE_VIEW,
  changesBetween,
  valid,
  waysOver,
} from '../../felix-lite/explain/testing/agreement.ts';
import { cluster, hostCluster } from '../../felix-lite/explain/testing/cluster.ts';
import { packet } from '../../felix-lite/explain/testing/packets.ts';
import { judgeWay } from '../../felix-lite/explain/way.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { iptables, run } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';

const BACKENDS = {
  nft: { nftables: false, iptables: 'nft' },
  legacy: { nftables: false, iptables: 'legacy' },
  nftables: { nftables: true, iptables: undefined },
} as const;

for (const backend of ['nft', 'legacy', 'nftables'] as const)
  describeOnKernel(`explaining the kernel's rules, ${backend}`, function () {
    this.timeout(300_000);
    const namespace = freshNamespace();
    let pipeline: Pipeline;
    let known: readonly Resource[] = [];
    const became = async (after: readonly Resource[]): Promise<void> => {
      pipeline.update(changesBetween(known, after));
      known = after;
      expect((await pipeline.apply(false)).failures).to.deep.equal([]);
      // Two endpoints may well claim one interface here, which is told and settled.
      expect(pipeline.problems.filter(({ code }) => code !== 'INTERFACE_SHARED')).to.deep.equal([]);
    };
    const felix: Explainable = {
      node: NODE,
      resources: () => known,
      view: () => ({
        resources: known,
        view: NODE_VIEW,
        backend,
        netns: namespace.path(),
        state: '',
        moving: false,
        lastError: undefined,
      }),
      pause: () => Promise.resolve(),
    };

    beforeEach(async () => {
      known = [];
      pipeline = await Pipeline.create({
        node: NODE,
        netns: namespace.path(),
        settings: { ...readSettings(undefined, undefined), backend: BACKENDS[backend] },
      });
      pipeline.putInterfaces(NODE_VIEW.interfaces);
    });
    afterEach(() => pipeline.close());

    it('comes to what the evaluator says, on random clusters', async () => {
      const tally = { allowed: 0, denied: 0 };
      const packets = fc.array(packet, { minLength: 12, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(fc.oneof(cluster, hostCluster), packets, async (objects, sent) => {
          const after = objects.map(valid);
          await became(after);
          const world = new World(after);
          for (const version of [4, 6] as const) {
            const kernel = await readKernel({ backend, netns: namespace.path() }, version);
            for (const each of sent.filter(({ source }) => source.version === version))
              for (const way of waysOver(world)) {
                const walked = await kernel.walk(way.journey, {
                  ...each,
                  state: 'NEW',
                  ...(way.from === undefined ? {} : { inInterface: way.from }),
                  ...(way.to === undefined ? {} : { outInterface: way.to }),
                });
                const judged = judgeWay(world, NODE_VIEW, way, each);
                tally[judged.allowed ? 'allowed' : 'denied']++;
                if ((walked.verdict === 'ACCEPT') !== judged.allowed)
                  throw new Error(JSON.stringify({ way, each, judged, walked }, undefined, 1));
              }
            kernel.close();
          }
        }),
        { numRuns: 10, endOnFailure: true },
      );
      expect(Math.min(tally.allowed, tally.denied)).to.be.greaterThan(100);
    });

    it('names the rules with their counters, and tells of one that is gone', async () => {
      await became(SHOP.map(valid));
      const query = new URLSearchParams({ source: '10.0.0.1', destination: '10.0.0.2', port: '5432' });
      const explained = await explain(felix, query);
      const { kernel } = explained.ok ? explained.value : {};
      expect(kernel).to.deep.include({
        backend,
        allowed: true,
        agrees: true,
        way: { journey: 'forwarded', from: 'cali1', to: 'cali2' },
      });
      const rule = kernel?.rules.find(({ chain }) => chain === 'cali-pi-np/shop/db');
      expect(rule).to.deep.include({ table: 'filter', packets: 0, bytes: 0 });
      expect(rule?.rule).to.contain('10.0.0.1');
      await flush('cali-pi-np/shop/db');
      const after = await explain(felix, query);
      expect(after.ok && after.value.kernel).to.deep.include({ allowed: false, agrees: false });
    });

    it('reach a person who asks, and an alarm has an exit code of its own', async () => {
      await became(SHOP.map(valid));
      const poplin = commandLine();
      const runDir = join(poplin.folder, 'run');
      const server = await serveControl(join(runDir, 'felix.sock'), {
        'GET /explain': async ({ query }) => unwrap(await explain(felix, query)),
      });
      try {
        const manifests = SHOP.map((each) => JSON.stringify(each)).join('\n---\n');
        expect((await poplin('apply -f -', manifests)).err).to.equal('');
        const question = `explain packet --from shop/web --to shop/db --port 5432 --run-dir ${runDir}`;
        const fine = await poplin(question);
        expect([fine.code, fine.err]).to.deep.equal([0, '']);
        expect(fine.out).to.match(/and \d\d that lead there/);
        const all = await poplin(`${question} --kernel all`);
        expect(all.out).to.contain('filter FORWARD: ').and.not.to.contain('that lead there');
        expect(fine.out).to.match(/kernel of a1 \(.*\), cali1 to cali2: allowed\n +PACKETS +BYTES +RULE\n/);
        expect(fine.out).to.match(
          /0 +0 +filter cali-pi-np\/shop\/db: .*10\.0\.0\.1.*NetworkPolicy shop\/db ingress/,
        );
        await flush('cali-pi-np/shop/db');
        const alarm = await poplin(`${question} -o json`);
        expect(alarm.code).to.equal(3);
        expect(alarm.err).to.contain('ALARM: the kernel of a1 stops what policy lets through');
        expect(JSON.parse(alarm.out)).to.have.nested.property('[0].alarm', true);
        // Policy of the host itself, which only the node can ask.
        await became([...SHOP, ...GUARDED].map(valid));
        await poplin('apply -f -', GUARDED.map((each) => JSON.stringify(each)).join('\n---\n'));
        const host = await poplin(
          `explain packet --from 10.9.0.9 --to 10.0.0.1 --port 80 --run-dir ${runDir}`,
        );
        expect([host.code, host.err]).to.deep.equal([1, '']);
        expect(host.out).to.contain('IPv4 10.9.0.9 -> 10.0.0.1: stopped');
        expect(host.out).to.contain('=> GlobalNetworkPolicy/guard spec.ingress[0]: Deny');
        // A daemon that has not heard of what the datastore holds.
        expect((await poplin('delete policy db -n shop')).code).to.equal(0);
        const stale = await poplin(question.replace('--port 5432', '--protocol udp --port 53'));
        expect(stale.code).to.equal(3);
        expect(stale.err).to.contain('it follows another state of the datastore');
      } finally {
        await server.close();
      }
    });

    /** As somebody who meddles. */
    async function flush(chain: string): Promise<void> {
      const netns = namespace.path();
      if (backend === 'nftables')
        await run('nft', ['flush', 'chain', 'ip', 'calico', `filter-${chain}`], { netns });
      else
        await iptables.restore(4, [{ table: 'filter', steps: [{ op: 'flush', chain }] }], { netns, backend });
    }

    it('leaves packets alone that do not cross the node', async () => {
      await became([]);
      const query = new URLSearchParams({ source: '192.0.2.1', destination: '192.0.2.2' });
      const explained = await explain(felix, query);
      expect(explained.ok && explained.value.kernel).to.equal(undefined);
    });
  });

const SHOP: readonly object[] = [
  workload('web', 1),
  workload('db', 2),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      selector: "role == 'db'",
      ingress: [{ action: 'Allow', protocol: 'TCP', source: { nets: ['10.0.0.1/32'] } }],
    },
  },
];

/** No route leads anywhere from the test's namespace: what guards all interfaces guards that way, too. */
const GUARDED: readonly object[] = [
  {
    apiVersion: 'projectcalico.org/v3',
    kind: 'HostEndpoint',
    metadata: { name: 'all', labels: { host: 'a1' } },
    spec: { node: NODE, interfaceName: '*' },
  },
  {
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'guard' },
    spec: { selector: 'has(host)', applyOnForward: true, ingress: [{ action: 'Deny' }] },
  },
];

function workload(pod: string, index: number): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `${NODE}-k8s-${pod}-eth0`, namespace: 'shop', labels: { role: pod } },
    spec: {
      orchestrator: 'k8s',
      node: NODE,
      pod,
      endpoint: 'eth0',
      interfaceName: `cali${index}`,
      ipNetworks: [`10.0.0.${index}/32`],
      profiles: ['kns.shop'],
    },
  };
}
