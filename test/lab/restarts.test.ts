/**
 * A cluster's way between nodes is changed, and nodes restart. No connection breaks by a change of mode. Whatever ends of a node and comes back, by force or in order, drops no packet: under a flood of pings in both IP versions,
 * through VXLAN, bare by BGP's routes, and through WireGuard. The other node keeps its routes meanwhile (RFC 4724).
 */
import { existsSync } from 'node:fs';
import type { Server } from 'node:net';
import { expect } from 'chai';
import { unwrap, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { labDown, labUp } from '../../containerlab/index.ts';
import { openLab, type RunningLab } from '../../containerlab/runner/lab.ts';
import { labPaths } from '../../containerlab/runner/paths.ts';
import { openStore, ResourceClient } from '../../datastore/index.ts';
import { namespacePath, run, userspaceProgram } from '../../net/kernel/index.ts';
import { echoIn } from '../routes/transfer.ts';
import { PACE, pingedWhile, waitUntil, whileTransferring } from '../routes/watch.ts';
import { type PairTopology, pairTopology } from './pair.topology.ts';
import { Parts, type Restart, WHOLE } from './parts.ts';

const pool = (version: 4 | 6, vxlanMode: string): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: `v${version}` },
  spec:
    version === 4
      ? { cidr: '10.244.0.0/16', blockSize: 26, vxlanMode }
      : { cidr: 'fd00:10:244::/48', blockSize: 122, vxlanMode },
});
const pools = (vxlanMode: string): readonly object[] => [pool(4, vxlanMode), pool(6, vxlanMode)];
const wireguard = (enabled: boolean): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'FelixConfiguration',
  metadata: { name: 'default' },
  spec: { wireguardEnabled: enabled, wireguardEnabledV6: enabled },
});

const BGPD_ENDS: Restart = {
  title: 'bgpd ends in order',
  parts: ['bgpd'],
  signal: 'SIGTERM',
  anew: ['bgpd'],
};

interface Mode {
  readonly name: string;
  readonly resources: readonly object[];
  /** What `ip route get` says of the way to the other workload. */
  readonly way: Readonly<Record<4 | 6, RegExp>>;
  readonly restarts: readonly Restart[];
}

const MODES: readonly Mode[] = [
  {
    name: 'through VXLAN',
    resources: [...pools('Always'), wireguard(false)],
    way: { 4: /dev vxlan.calico/, 6: /dev vxlan-v6.calico/ },
    restarts: WHOLE,
  },
  {
    name: 'without encapsulation',
    resources: [...pools('Never'), wireguard(false)],
    way: { 4: /via 10.1.0.2 dev eth1/, 6: /via fd00:1::2 dev eth1/ },
    restarts: [{ title: 'bgpd is killed', parts: ['bgpd'], signal: 'SIGKILL', anew: ['bgpd'] }, ...WHOLE],
  },
  {
    name: 'through WireGuard',
    resources: [...pools('Never'), wireguard(true)],
    way: { 4: /dev wireguard.cali/, 6: /dev wg-v6.cali/ },
    restarts: WHOLE,
  },
  {
    name: 'without encapsulation again',
    resources: [...pools('Never'), wireguard(false)],
    way: { 4: /via 10.1.0.2 dev eth1/, 6: /via fd00:1::2 dev eth1/ },
    restarts: [],
  },
  {
    name: 'through VXLAN again',
    resources: [...pools('Always'), wireguard(false)],
    way: { 4: /dev vxlan.calico/, 6: /dev vxlan-v6.calico/ },
    restarts: [],
  },
];

const silent = { out: () => undefined, colour: false, columns: undefined };
const root = process.getuid?.() === 0;
if (!root) process.stderr.write('SKIPPED: restarts under a flood of pings: labs need root\n');
const encrypts = userspaceProgram() !== undefined && existsSync('/dev/net/tun');

(root ? describe : describe.skip)('a live cluster', function () {
  this.timeout(300_000);
  let topology: PairTopology;
  let lab: RunningLab;
  let parts: Parts;
  let echo: Server | undefined;

  const addressOf = (workload: string, version: 4 | 6): string => {
    const { ipv4, ipv6 } = lab.state.workloads[workload]?.addresses ?? {};
    return (version === 4 ? ipv4 : ipv6) ?? expect.fail(`${workload} has no IPv${version} address`);
  };
  const netns = (member: string): string => namespacePath(lab.namespace(member));
  const transferring = (version: 4 | 6, what: () => Promise<unknown>): Promise<void> =>
    whileTransferring(netns('one'), addressOf('two', version), what);
  const apply = async (resources: readonly object[]): Promise<void> => {
    const store = await openStore(labPaths(topology.name).datastore);
    const client = new ResourceClient(store, new SystemClock());
    for (const resource of resources) unwrap(await client.apply(unwrap(validate(resource))));
    await store.close();
  };
  const taken = async ({ way }: Mode): Promise<void> => {
    for (const [node, workload] of [
      ['a1', 'two'],
      ['a2', 'one'],
    ] as const)
      for (const version of [4, 6] as const) {
        const to = addressOf(workload, version);
        const device = / dev \S+/.exec(way[version].source)?.[0] ?? '';
        await waitUntil(
          PACE,
          `IPv${version} of ${node}`,
          async () => (await run('ip', ['route', 'get', to], { netns: netns(node) })).stdout,
          (text) => (node === 'a1' ? way[version].test(text) : text.includes(device)),
        );
      }
  };

  before(async () => {
    topology = pairTopology(
      pools('Always')
        .map((each) => JSON.stringify(each))
        .join('\n---\n'),
    );
    expect(await labUp({ topology: topology.file }, silent)).to.equal(0);
    lab = unwrap(openLab(topology.name));
    parts = new Parts(topology.name, ['a1', 'a2'], PACE);
    echo = await echoIn(netns('two'));
  });
  after(async () => {
    echo?.close();
    await labDown({ lab: topology.name }, silent);
    topology.remove();
  });

  for (const mode of MODES)
    describe(mode.name, () => {
      before(function () {
        if (!mode.name.includes('WireGuard') || encrypts) return;
        process.stderr.write('SKIPPED: restarts with WireGuard: no wireguard-go, or no /dev/net/tun\n');
        this.skip();
      });

      it('takes the place of the mode before it during a transfer, which goes on', async () => {
        await transferring(4, () =>
          transferring(6, async () => {
            await apply(mode.resources);
            await taken(mode);
          }),
        );
        if (mode.restarts.length === 0) return;
        // It holds a session that falls again and again against us, and would wait longer each time.
        await parts.restart('a2', BGPD_ENDS);
      });

      for (const restart of mode.restarts)
        it(`drops no ping while ${restart.title}`, async () => {
          const outcomes: unknown[] = [];
          const flood = async (version: 4 | 6, what: () => Promise<unknown>): Promise<void> => {
            const { answered, lost } = await pingedWhile(netns('one'), addressOf('two', version), what);
            outcomes.push({ version, lost, enough: answered >= 200 });
          };
          await flood(4, () => flood(6, () => parts.restart('a1', restart)));
          expect(outcomes).to.deep.equal([
            { version: 6, lost: [], enough: true },
            { version: 4, lost: [], enough: true },
          ]);
          await taken(mode);
        });
    });
});
