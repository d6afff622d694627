/** The first load of nf_tables in parts comes to what a load in one comes to, whatever its sets turn out to hold. */
import { expect } from 'chai';
import { expressionsKey, Nftables } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import type { ResourceChange } from '../calc/calculator.ts';
import { readSettings } from './config.ts';
import { Pipeline } from './pipeline.ts';

const apiVersion = 'projectcalico.org/v3';

function pod(index: number, node: string, role: string): ResourceChange {
  const name = `${node}-k8s-pod--${index}-eth0`;
  return {
    key: { kind: 'WorkloadEndpoint', scope: 'prod', name },
    value: {
      apiVersion,
      kind: 'WorkloadEndpoint',
      metadata: { name, namespace: 'prod', labels: { role } },
      spec: {
        orchestrator: 'k8s',
        node,
        pod: `pod-${index}`,
        endpoint: 'eth0',
        interfaceName: `cali${index}`,
        ipNetworks: [`10.65.0.${index}/32`, `fd00:65::${index}/128`],
        profiles: ['kns.prod'],
      },
    },
  };
}

function networkSet(name: string, role: string, nets: readonly string[]): ResourceChange {
  const metadata = { name, namespace: 'prod', labels: { role } };
  return {
    key: { kind: 'NetworkSet', scope: 'prod', name },
    value: { apiVersion, kind: 'NetworkSet', metadata, spec: { nets } },
  };
}

function policy(name: string, ingress: readonly object[]): ResourceChange {
  const metadata = { name, namespace: 'prod' };
  const spec = { order: 1, selector: "role == 'db'", types: ['Ingress'], ingress };
  return {
    key: { kind: 'NetworkPolicy', scope: 'prod', name },
    value: { apiVersion, kind: 'NetworkPolicy', metadata, spec },
  };
}

/** A set holds a pod of this node at first, another nothing, and comes to hold networks: it has another name then. */
const WORLD: readonly ResourceChange[] = [
  policy('by-role', [
    { action: 'Deny', source: { selector: "role == 'net'" } },
    { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" } },
    { action: 'Allow', protocol: 'TCP', destination: { ports: [1, 3, 5, 7, 9, '11:20'] } },
  ]),
  pod(1, 'here', 'db'),
  pod(2, 'here', 'web'),
  pod(3, 'there', 'web'),
  pod(4, 'there', 'net'),
  networkSet('nets', 'net', ['192.0.2.0/24', '192.0.2.128/25', 'fd00:2::/32']),
];

/** All that it holds of ours. */
async function kernel(netns: string): Promise<readonly string[]> {
  using nft = Nftables.open({ netns });
  const lines: string[] = [];
  for (const family of ['ip', 'ip6'] as const) {
    const table = { family, name: 'calico' };
    for (const { chain, comment, expressions } of await nft.listRules(table))
      lines.push(`${family} ${chain} ${comment} ${expressionsKey(expressions)}`);
    for (const { name } of await nft.listSets(table)) {
      const elements = (await nft.listElements(table, name)).map((each) => JSON.stringify(each)).sort();
      lines.push(`${family} set ${name} ${elements.join(' ')}`);
    }
  }
  return lines.sort();
}

async function load(netns: string, lists: readonly (readonly ResourceChange[])[]): Promise<Pipeline> {
  const settings = {
    ...readSettings(undefined, undefined),
    forwarding: false,
    backend: { nftables: true, iptables: undefined },
  };
  const pipeline = await Pipeline.create({ node: 'here', netns, settings });
  for (const list of lists) pipeline.update(list);
  const { failures } = await pipeline.apply(false);
  expect(failures).to.deep.equal([]);
  // With nothing else to do what rests goes: the set by its first name.
  await pipeline.apply(false);
  return pipeline;
}

describeOnKernel('a first load of nf_tables', function () {
  this.timeout(120_000);
  const [parted, whole] = [freshNamespace(), freshNamespace()];

  it('in parts comes to what it comes to in one, also where a set turns out to hold networks', async () => {
    using closing = new DisposableStack();
    const pipeline = await load(parted.path(), [WORLD]);
    closing.defer(() => pipeline.close());
    // Behind a first list nothing is put off.
    const other = await load(whole.path(), [[], WORLD]);
    closing.defer(() => other.close());
    const state = await kernel(parted.path());
    expect(state.some((line) => line.includes('"key":"c0000200","end":"c0000300"'))).to.equal(true);
    expect(state).to.deep.equal(await kernel(whole.path()));
    // And what we take for the kernel's state is so: there is nothing to do.
    expect((await pipeline.apply(true)).steps).to.equal(0);
  });
});
