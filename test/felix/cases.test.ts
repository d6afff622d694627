/**
 * The cases of `cases.ts`, all at once over one set of workloads: what really arrives is what the evaluator says, on every
 * backend, before and after policies, labels, namespaces and addresses change, while the node moves from one backend to
 * the next, and once all policies are gone.
 */
import { expect } from 'chai';
import type { Resource } from '../../api/index.ts';
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import type { Me } from './case.ts';
import { CASES } from './cases.ts';
import { type Party, flowsOf, packetOf } from './case-flows.ts';
import { CLIENTS, CROWD, LB, RESTARTED, surroundings } from './case-world.ts';
import { TestNode, endpointOf, interfaceOf, valid } from './node.ts';
import { type Asked, expectPackets } from './volley.ts';

const FIRST = 20;

describeOnKernel(`policy with packets: ${CASES.length} cases`, function () {
  this.timeout(300_000);
  let node: TestNode;
  const subjects = CASES.map((each, index) => ({ each, index: FIRST + index, id: `c${index}` }));
  type Subject = (typeof subjects)[number];

  before(async () => {
    node = await TestNode.create(CLIENTS);
    await node.network.wireCrowd(
      CROWD,
      subjects.map(({ index }) => index),
    );
    await node.put(...everything(false));
  });
  after(() => node.remove());

  it('go as the evaluator says, nftables', async () => {
    await configure('nftables');
    await node.startFelix();
    await expectAll(flowsIn(false));
  });

  it('go as it says after everything has changed at once, nftables', () => change(true));

  it('go on so after the node moved to iptables, its nft kind', async () => {
    await configure('iptables NFT');
    await node.settled();
    await expectAll(flowsIn(true));
  });

  it('go as it says after everything has changed back at once, iptables NFT', () => change(false));

  it('go on so after the node moved to legacy iptables', async () => {
    await configure('iptables Legacy');
    await node.settled();
    await expectAll(flowsIn(false));
  });

  it('go as it says after everything has changed at once, iptables Legacy', () => change(true));

  it('all go once no policy is left', async () => {
    await node.delete(...subjects.flatMap((each) => stateOf(each, true).slice(1)));
    await node.settled();
    const some = subjects.filter((_, index) => index % 10 === 0);
    const open = ask(true, (each) => stateOf(each, true).slice(0, 1), some);
    await expectAll(open);
    expect(open.every(({ flow }) => flow.expected)).to.equal(true);
  });

  function everything(changed: boolean): readonly Resource[] {
    return [...surroundings(changed).resources, ...subjects.flatMap((each) => stateOf(each, changed))];
  }

  async function configure(backend: BackendName): Promise<void> {
    await node.put(configurationOf(BACKENDS[backend]));
  }

  async function change(changed: boolean): Promise<void> {
    const [from, to] = changed ? [LB.index, RESTARTED] : [RESTARTED, LB.index];
    await node.network.readdress(LB, from, to);
    await node.exchange(everything(!changed), everything(changed));
    await node.settled();
    await expectAll(flowsIn(changed));
  }

  /** The workload of a case, first, and its policies. */
  function stateOf({ each, index, id }: Subject, changed: boolean): readonly Resource[] {
    const labels = { ...each.labels, ...(changed ? each.changedLabels : {}), case: id };
    const me: Me = { id, selector: `case == '${id}'`, podSelector: { matchLabels: { case: id } } };
    const resources = changed ? (each.changed ?? each.resources) : each.resources;
    return [endpointOf({ name: id, namespace: 'prod', labels, index }), ...resources(me).map(valid)];
  }

  /** Judged once for each of the two states: it costs as much as the packets do. */
  const judgedFlows = new Map<boolean, readonly Asked[]>();

  function flowsIn(changed: boolean): readonly Asked[] {
    const known = judgedFlows.get(changed) ?? ask(changed, (each) => stateOf(each, changed), subjects);
    judgedFlows.set(changed, known);
    return known;
  }

  function ask(
    changed: boolean,
    state: (subject: Subject) => readonly Resource[],
    chosen: readonly Subject[],
  ): readonly Asked[] {
    const { resources, parties } = surroundings(changed);
    return chosen.flatMap((subject) => {
      // No policy of one case selects the workload of another: the world of a case is small.
      const world = new World([...resources, ...state(subject)]);
      return parties.flatMap((party) => judged(world, subject, party));
    });
  }

  async function expectAll(asked: readonly Asked[]): Promise<void> {
    const tally = await expectPackets(node, asked);
    expect(tally.passed).to.be.greaterThan(asked.length / 10);
    expect(node.felix.status().problems.filter(({ code }) => code !== 'RULE_UNSUPPORTED')).to.deep.equal([]);
  }
});

/** Every probe between a case's workload and a party, with what the evaluator says. The others have no policy but open profiles. */
function judged(
  world: World,
  { each, index }: { readonly each: (typeof CASES)[number]; readonly index: number },
  party: Party,
): readonly Asked[] {
  const me = world.workloads.find(({ spec }) => spec.interfaceName === interfaceOf(index));
  if (me === undefined) throw new Error('no workload');
  return flowsOf(each, index, party).map(({ name, ...flow }) => ({
    name: `${each.it}: ${name}`,
    flow: { ...flow, expected: judge(world, me, each.direction, packetOf(flow)).allowed },
  }));
}
