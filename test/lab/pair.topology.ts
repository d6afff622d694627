/** Two Poplin nodes on one link, each with a workload: the smallest lab in which packets go from node to node. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PairTopology {
  readonly name: string;
  readonly file: string;
  remove(): void;
}

const NODES = [
  { name: 'a1', host: 1 },
  { name: 'a2', host: 2 },
] as const;

const RESOURCES = `
apiVersion: projectcalico.org/v3
kind: Profile
metadata: { name: kns.lab }
spec:
  ingress: [{ action: Allow }]
  egress: [{ action: Allow }]
`;

/** @param pools  manifests of the pools, and of whatever else the cluster shall have */
export function pairTopology(pools: string): PairTopology {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-pair-'));
  const name = `pair${process.pid}`;
  const file = join(folder, 'pair.clab.yml');
  const nodes = NODES.map(
    ({ name: node, host }) => `
    ${node}:
      image: poplin/node:0.1.0
      exec:
        - ip address replace 10.1.0.${host}/24 dev eth1
        - ip address replace fd00:1::${host}/64 dev eth1 nodad
        - ip route replace default via 10.1.0.254
        - ip route replace default via fd00:1::fe`,
  );
  writeFileSync(
    file,
    `
name: ${name}
topology:
  defaults: { kind: linux }
  nodes:${nodes.join('')}
  links:
    - endpoints: ["a1:eth1", "a2:eth1"]
      mtu: 1500
`,
  );
  const expected = `
port: 8080
workloads:
  one: { node: a1, namespace: lab, labels: {} }
  two: { node: a2, namespace: lab, labels: {} }
reachable:
  one: [two]
  two: [one]
`;
  writeFileSync(join(folder, 'pair.expect.yml'), expected);
  const manifests = NODES.map(
    ({ name: node, host }) => `
apiVersion: projectcalico.org/v3
kind: Node
metadata: { name: ${node} }
spec: { bgp: { ipv4Address: 10.1.0.${host}/24, ipv6Address: 'fd00:1::${host}/64' } }
`,
  );
  mkdirSync(join(folder, 'pair'));
  writeFileSync(join(folder, 'pair', 'cluster.yaml'), [...manifests, RESOURCES, `\n${pools}`].join('---'));
  return { name, file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
