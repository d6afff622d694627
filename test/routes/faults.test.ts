/**
 * What goes wrong around a node: each is one problem in the status of the node that it concerns, with the rest at work, and
 * none once it is put right. What somebody takes away of ours comes back.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import {
  block,
  Fabric,
  type NodeName,
  NODES,
  nodeResource,
  pools,
  tunnelAddress,
  underlay,
} from './fabric.ts';

interface Status {
  readonly routing: { readonly problems: readonly { readonly code: string; readonly remedy: string }[] };
}

interface Fault {
  readonly it: string;
  /** Whose status tells of it. */
  readonly at: NodeName;
  readonly code: string;
  make(fabric: Fabric): Promise<unknown>;
  /** What goes on meanwhile. */
  works(fabric: Fabric): Promise<unknown>;
  mend(fabric: Fabric): Promise<unknown>;
}

const SOME = 50_000;
const v3 = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name },
  spec,
});

const FAULTS: readonly Fault[] = [
  {
    it: 'a node without an IPv4 address: its IPv6 goes on, and so do all others',
    at: 'a2',
    code: 'NODE_WITHOUT_ADDRESS',
    make: (fabric) => fabric.apply(nodeResource('a2', { bgp: { ipv6Address: `${underlay('a2', 6)}/64` } })),
    works: async (fabric) => {
      await fabric.transfer('a1', 'a2', 6, SOME);
      await fabric.transfer('a1', 'b1', 4, SOME);
    },
    mend: (fabric) => fabric.apply(nodeResource('a2')),
  },
  {
    it: 'two nodes with one address: they are named, and the third node is reached',
    at: 'a1',
    code: 'NODE_ADDRESS_DOUBLE',
    make: (fabric) => fabric.apply(v3('Node', 'ghost', { bgp: { ipv4Address: `${underlay('b1', 4)}/24` } })),
    works: (fabric) => fabric.transfer('a1', 'a2', 4, SOME),
    mend: (fabric) => fabric.remove('Node', 'ghost'),
  },
  {
    it: "a pool that overlaps the host's own subnet: all that ran runs on",
    at: 'b1',
    code: 'POOL_OVERLAPS_HOST',
    make: (fabric) =>
      fabric.apply(v3('IPPool', 'over', { cidr: '10.10.2.0/24', blockSize: 26, vxlanMode: 'Always' })),
    works: async (fabric) => {
      await fabric.transfer('a1', 'b1', 4, SOME);
      await fabric.transfer('b1', 'a2', 6, SOME);
    },
    mend: (fabric) => fabric.remove('IPPool', 'over'),
  },
  {
    it: "somebody else's device under our name: it stays as it is, and the other IP version goes on",
    at: 'b1',
    code: 'TUNNEL_FOREIGN',
    make: async (fabric) => {
      await fabric.kill('b1', 'felix', 'SIGTERM');
      await fabric.lab.run('b1', 'ip', ['link', 'delete', 'vxlan.calico']);
      await fabric.lab.run('b1', 'ip', ['link', 'add', 'vxlan.calico', 'type', 'bridge']);
      fabric.start('b1', 'felix');
    },
    works: async (fabric) => {
      await fabric.transfer('a1', 'b1', 6, SOME);
      await fabric.transfer('a1', 'a2', 4, SOME);
      const link = await fabric.lab.run('b1', 'ip', ['-d', 'link', 'show', 'vxlan.calico']);
      expect(link).to.match(/\bbridge\b.*forward_delay/);
    },
    mend: (fabric) => fabric.lab.run('b1', 'ip', ['link', 'delete', 'vxlan.calico']),
  },
  {
    it: "somebody else's route in the place of ours: it stays, and ours takes its place when it goes",
    at: 'a1',
    code: 'ROUTE_STRANGER',
    make: (fabric) =>
      fabric.lab.run('a1', 'ip', [
        'route',
        'replace',
        block('a2', 4),
        'via',
        underlay('a2', 4),
        'proto',
        '77',
      ]),
    works: async (fabric) => {
      await fabric.transfer('a1', 'b1', 4, SOME);
      expect(await fabric.lab.run('a1', 'ip', ['route', 'show', block('a2', 4)])).to.contain('proto 77');
    },
    mend: (fabric) => fabric.lab.run('a1', 'ip', ['route', 'delete', block('a2', 4), 'proto', '77']),
  },
];

/** What the kernel tells of is repaired at once; forwarding entries with the next refresh. */
const TAKEN: readonly {
  readonly it: string;
  readonly show: string;
  readonly take: string;
  readonly back: RegExp;
}[] = [
  {
    it: 'the address of a tunnel',
    show: 'ip addr show vxlan.calico',
    take: `ip addr delete ${tunnelAddress('a1', 4)}/32 dev vxlan.calico`,
    back: new RegExp(`inet ${tunnelAddress('a1', 4)}/32`),
  },
  {
    it: 'a tunnel that was switched off',
    show: 'ip link show vxlan-v6.calico',
    take: 'ip link set vxlan-v6.calico down',
    back: /[<,]UP[,>]/,
  },
  {
    it: "the far end's neighbour entry",
    show: 'ip neigh show dev vxlan.calico',
    take: `ip neigh delete ${tunnelAddress('b1', 4)} dev vxlan.calico`,
    back: new RegExp(`${tunnelAddress('b1', 4)} .*PERMANENT`),
  },
  {
    it: "the far end's forwarding entry",
    show: 'bridge fdb show dev vxlan.calico',
    take: `bridge fdb delete $(bridge fdb show dev vxlan.calico | grep "dst ${underlay('b1', 4)} " | cut -d' ' -f1) dev vxlan.calico`,
    back: new RegExp(`dst ${underlay('b1', 4)} `),
  },
  {
    it: 'the blackhole of an own block',
    show: `ip route show ${block('a1', 4)}`,
    take: `ip route delete blackhole ${block('a1', 4)}`,
    back: /^blackhole /,
  },
  {
    it: 'the route to a workload',
    show: 'ip route show dev calia1',
    take: 'ip route flush dev calia1 && ip route flush cache',
    back: /10\.244\.1\.2/,
  },
];

describeOnKernel('faults around a node', function () {
  this.timeout(300_000);
  const fabric = new Fabric();
  const codes = async (node: NodeName): Promise<string> => {
    const status = (await fabric.status(node, 'felix').catch(() => undefined)) as Status | undefined;
    return status?.routing.problems.map(({ code }) => code).join() ?? 'does not answer';
  };
  const told = (node: NodeName, wanted: string): Promise<string> =>
    fabric.until(
      `problems of ${node}: ${wanted}`,
      () => codes(node),
      (now) => now === wanted,
    );

  before(async () => {
    await fabric.build(
      1430,
      ...pools({ v4: { vxlanMode: 'Always' }, v6: { vxlanMode: 'Always' } }),
      v3('FelixConfiguration', 'default', { routeRefreshInterval: '2s' }),
    );
    for (const node of NODES) fabric.start(node, 'felix');
    for (const version of [4, 6] as const) await fabric.routed(() => /dev vxlan/, version);
    for (const node of NODES) await told(node, '');
  });
  after(() => fabric.close());

  for (const fault of FAULTS)
    it(fault.it, async () => {
      await fault.make(fabric);
      await told(fault.at, fault.code);
      const { routing } = (await fabric.status(fault.at, 'felix')) as Status;
      expect(routing.problems[0]?.remedy).to.be.a('string').and.not.equal('');
      await fault.works(fabric);
      await fault.mend(fabric);
      await told(fault.at, '');
      await fabric.routed(() => /dev vxlan.calico/);
      await fabric.transfer('b1', 'a2', 4, SOME);
    });

  for (const { it: what, show, take, back } of TAKEN)
    it(`puts back ${what}`, async () => {
      const look = (): Promise<string> => fabric.lab.run('a1', 'sh', ['-c', show]);
      expect(await look()).to.match(back);
      await fabric.lab.run('a1', 'sh', ['-ec', take]);
      await fabric.until(what, look, (text) => back.test(text));
      await fabric.transfer('a1', 'b1', 4, SOME);
    });
});
