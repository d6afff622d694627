/** Everyone to everyone: what packets do, and what the evaluator says of them. */
import type { Resource } from '../../api/index.ts';
import { judge } from '../../felix-lite/explain/evaluate.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { Address } from '../../net/addr/index.ts';
import { OUTSIDE, PORTS, type TestNode, type Workload, addressesOf } from './node.ts';
import type { Flow } from './wire.ts';

export type Matrix = Readonly<Record<string, boolean>>;

/** Everyone to everyone, TCP on two ports and UDP on one, both families: measured, and as the evaluator says. */
export async function matrix(
  node: TestNode,
  workloads: readonly Workload[],
  resources: readonly Resource[],
): Promise<readonly [Matrix, Matrix]> {
  const world = new World(resources);
  const parties = [
    ...workloads.map(({ name, index }) => ({
      name,
      addresses: addressesOf(index),
      endpoint: world.workloads.find(({ spec }) => spec.pod === name),
    })),
    { name: 'outside', addresses: OUTSIDE, endpoint: undefined },
  ];
  const probes = parties.flatMap((from) =>
    parties
      .filter((to) => to !== from)
      .flatMap((to) =>
        ([4, 6] as const).flatMap((version) =>
          [
            { protocol: 'tcp', port: PORTS[0] } as const,
            { protocol: 'tcp', port: PORTS[1] } as const,
            { protocol: 'udp', port: PORTS[0] } as const,
          ].map((what) => ({ from, to, version, ...what })),
        ),
      ),
  );
  const expected: Record<string, boolean> = {};
  const flows = probes.map(({ from, to, version, protocol, port }): Flow => {
    const name = `${from.name} -> ${to.name} ${protocol}/${port} IPv${version}`;
    const packet = {
      source: parse(from.addresses[version]),
      destination: parse(to.addresses[version]),
      protocol: protocol === 'tcp' ? 6 : 17,
      sourcePort: 50000,
      destinationPort: port,
    };
    expected[name] =
      (from.endpoint === undefined || judge(world, from.endpoint, 'egress', packet).allowed) &&
      (to.endpoint === undefined || judge(world, to.endpoint, 'ingress', packet).allowed);
    return {
      from: from.name,
      to: to.name,
      source: from.addresses[version],
      destination: to.addresses[version],
      protocol: packet.protocol,
      destinationPort: port,
      expected: expected[name],
    };
  });
  const outcomes = await node.network.wire.volley(flows);
  const measured = Object.keys(expected).map((name, index) => {
    const { arrived, answered } = outcomes[index] ?? { arrived: false, answered: false };
    return [name, arrived && answered] as const;
  });
  return [Object.fromEntries(measured), expected];
}

function parse(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(text);
  return address;
}
