/**
 * The cases of `cases.ts`, all at once over one set of workloads: what really arrives is what the evaluator says, before and
 * after policies, labels, namespaces and addresses change, and once all policies are gone.
 */
import { expect } from 'chai';
import type { Resource } from '../../api/index.ts';
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { Address } from '../../net/addr/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { CASES, type Case, type Me } from './cases.ts';
import {
  OUTSIDE,
  PORTS,
  TestNode,
  type Workload,
  addressesOf,
  endpointOf,
  interfaceOf,
  valid,
} from './node.ts';

const CROWD = 'crowd';
const FIRST = 20;
const RESTARTED = 9;

const WEB: Workload = { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 };
const LB: Workload = { name: 'lb', namespace: 'prod', labels: { role: 'lb', mood: 'good' }, index: 2 };
const STRANGER: Workload = { name: 'stranger', namespace: 'test', labels: { role: 'web' }, index: 3 };
const MOVER: Workload = { name: 'mover', namespace: 'shift', labels: {}, index: 4 };
const CLIENTS = [WEB, LB, STRANGER, MOVER];

const PROBES = [
  { protocol: 'tcp', port: PORTS[0] },
  { protocol: 'tcp', port: PORTS[1] },
  { protocol: 'udp', port: PORTS[0] },
] as const;

/** The node's processors are shared: more at once would only wait longer. */
const AT_ONCE = 120;
const PATIENCE = 5;

interface Party {
  readonly name: string;
  readonly addresses: { readonly 4: string; readonly 6: string };
}

/** What the cluster is, apart from the workload and the policies of each case. */
interface Surroundings {
  readonly resources: readonly Resource[];
  readonly parties: readonly Party[];
}

const namespace = (name: string, labels: object): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { name, ...labels } },
});
const tier = (name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'Tier',
  metadata: { name },
  spec,
});

function surroundings(changed: boolean): Surroundings {
  const lb = { ...LB, labels: { role: 'lb', mood: changed ? 'bad' : 'good' } };
  const restarted = changed ? addressesOf(RESTARTED) : addressesOf(LB.index);
  const api = [addressesOf(WEB.index), addressesOf(STRANGER.index)];
  const slice = (version: 4 | 6): object => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `api-${version}`,
      namespace: 'prod',
      labels: { 'kubernetes.io/service-name': 'api' },
    },
    addressType: `IPv${version}`,
    endpoints: api.slice(0, changed ? 1 : 2).map((each) => ({ addresses: [each[version]] })),
    ports: [{ protocol: 'TCP', port: PORTS[0] }],
  });
  const endpoints = [endpointOf(WEB), endpointOf(lb), endpointOf(STRANGER), endpointOf(MOVER)].map((each) => {
    if (each.kind !== 'WorkloadEndpoint') throw new Error('no endpoint');
    if (each.spec.pod === 'lb')
      return { ...each, spec: { ...each.spec, ipNetworks: [`${restarted[4]}/32`, `${restarted[6]}/128`] } };
    if (each.spec.pod !== 'web') return each;
    const profiles = ['kns.prod', 'ksa.prod.robot'];
    return { ...each, spec: { ...each.spec, serviceAccountName: 'robot', profiles } };
  });
  const resources = [
    namespace('prod', {}),
    namespace('test', {}),
    namespace('shift', { mood: changed ? 'bad' : 'good' }),
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'robot', namespace: 'prod', labels: { trusted: 'yes' } },
    },
    tier('strict', { order: 10 }),
    tier('lenient', { order: 20, defaultAction: 'Pass' }),
    slice(4),
    slice(6),
    ...endpoints,
  ].map(valid);
  const parties = [
    ...CLIENTS.map(({ name, index }) => ({
      name,
      addresses: name === 'lb' ? restarted : addressesOf(index),
    })),
    { name: 'outside', addresses: OUTSIDE },
  ];
  return { resources, parties };
}

describeOnKernel(`policy with packets: ${CASES.length} cases`, function () {
  this.timeout(180_000);
  let node: TestNode;
  const subjects = CASES.map((each, index) => ({ each, index: FIRST + index, id: `c${index}` }));
  type Subject = (typeof subjects)[number];

  before(async () => {
    node = await TestNode.create(CLIENTS);
    await node.wireCrowd(
      CROWD,
      subjects.map(({ index }) => index),
    );
  });
  after(() => node.remove());

  it('go as the evaluator says', async () => {
    const before = surroundings(false);
    await node.put(...before.resources, ...subjects.flatMap((each) => stateOf(each, false)));
    await node.startFelix(30_000);
    await expectPackets(before, (each) => stateOf(each, false));
  });

  it('go as it says after everything has changed at once', async () => {
    const after = surroundings(true);
    await node.readdress(LB, RESTARTED);
    await node.exchange(
      [...surroundings(false).resources, ...subjects.flatMap((each) => stateOf(each, false))],
      [...after.resources, ...subjects.flatMap((each) => stateOf(each, true))],
    );
    await node.settled(30_000);
    await expectPackets(after, (each) => stateOf(each, true));
  });

  it('all go once no policy is left', async () => {
    await node.delete(...subjects.flatMap((each) => stateOf(each, true).slice(1)));
    await node.settled(30_000);
    const some = subjects.filter((_, index) => index % 10 === 0);
    await expectPackets(surroundings(true), (each) => stateOf(each, true).slice(0, 1), some);
  });

  /** The workload of a case, first, and its policies. */
  function stateOf({ each, index, id }: Subject, changed: boolean): readonly Resource[] {
    const labels = { ...each.labels, ...(changed ? each.changedLabels : {}), case: id };
    const me: Me = { id, selector: `case == '${id}'`, podSelector: { matchLabels: { case: id } } };
    const resources = changed ? (each.changed ?? each.resources) : each.resources;
    return [endpointOf({ name: id, namespace: 'prod', labels, index }), ...resources(me).map(valid)];
  }

  /** A machine with more to do loses packets: what should arrive may be tried again. What is denied stays denied. */
  async function reaches({ sender, protocol, to, port, from }: Flow, times: number): Promise<boolean> {
    for (let time = 0; time < times; time++)
      if (await node.prober(sender).reach(protocol, to, port, from)) return true;
    return false;
  }

  async function expectPackets(
    { resources, parties }: Surroundings,
    state: (subject: Subject) => readonly Resource[],
    chosen: readonly Subject[] = subjects,
  ): Promise<void> {
    const wrong: string[] = [];
    const tally = { passed: 0, stopped: 0 };
    const tasks = new Map<string, (() => Promise<void>)[]>();
    for (const subject of chosen) {
      const own = state(subject);
      // No policy of one case selects the workload of another: the world of a case is small.
      const world = new World([...resources, ...own]);
      for (const party of parties) {
        for (const flow of flowsOf(subject, party)) {
          const expected = allows(world, subject, flow);
          const list = tasks.get(flow.sender) ?? [];
          tasks.set(flow.sender, list);
          list.push(async () => {
            const reached = await reaches(flow, expected ? PATIENCE : 1);
            tally[reached ? 'passed' : 'stopped']++;
            if (reached !== expected)
              wrong.push(`${subject.each.it}: ${flow.name} ${reached ? 'passed' : 'was stopped'}`);
          });
        }
      }
    }
    await Promise.all([...tasks.values()].map((list) => inTurns(list, AT_ONCE)));
    expect(wrong.slice(0, 20).join('\n'), `${wrong.length} of all flows`).to.equal('');
    expect(tally.passed).to.be.greaterThan(chosen.length);
    if (chosen === subjects) expect(tally.stopped).to.be.greaterThan(chosen.length);
    expect(node.felix.status().problems.filter(({ code }) => code !== 'RULE_UNSUPPORTED')).to.deep.equal([]);
  }
});

interface Flow {
  readonly name: string;
  /** Whose prober sends it. */
  readonly sender: string;
  readonly client: string;
  readonly from: string | undefined;
  readonly source: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

function flowsOf(
  { each, index }: { readonly each: Case; readonly index: number },
  party: Party,
): readonly Flow[] {
  return ([4, 6] as const).flatMap((version) =>
    PROBES.map(({ protocol, port }): Flow => {
      const mine = addressesOf(index)[version];
      const theirs = party.addresses[version];
      const inward = each.direction === 'ingress';
      return {
        name: `${party.name} ${inward ? 'to' : 'from'} it, ${protocol}/${port} IPv${version}`,
        sender: inward ? party.name : CROWD,
        client: party.name,
        from: inward ? undefined : mine,
        source: inward ? theirs : mine,
        to: inward ? mine : theirs,
        protocol,
        port,
      };
    }),
  );
}

function allows(
  world: World,
  { each, index }: { readonly each: Case; readonly index: number },
  flow: Flow,
): boolean {
  const packet = {
    source: parse(flow.source),
    destination: parse(flow.to),
    protocol: flow.protocol === 'tcp' ? 6 : 17,
    sourcePort: 50_000,
    destinationPort: flow.port,
  };
  const me = world.workloads.find(({ spec }) => spec.interfaceName === interfaceOf(index));
  if (me === undefined) throw new Error('no workload');
  // The others have no policy but their open profiles.
  return judge(world, me, each.direction, packet).allowed;
}

async function inTurns(tasks: readonly (() => Promise<void>)[], atOnce: number): Promise<void> {
  const left = tasks.values();
  const worker = async (): Promise<void> => {
    for (const task of left) await task();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
