/**
 * felix-lite beside kube-proxy, wherever that keeps its rules: none of them is changed, moved or removed, whatever policy
 * does, also while both write; a service leads to its pod, and policy judges what arrives there.
 */
import { expect } from 'chai';
import { ipset, iptables } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { addressesOf, DB, endpointOf, np, openProfile, TestNode, WEB } from './node.ts';

const POOL = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'pods' },
  spec: { cidr: '10.65.0.0/16', natOutgoing: true, ipipMode: 'Never', vxlanMode: 'Never' },
};

const SERVICE = '10.96.0.10';
const VERSIONS = [4, 6] as const;
const POD = addressesOf(2);

/** What kube-proxy 1.31 writes for one service with one pod; of IPv6, as it is on a node without such services. */
function kubeProxy(version: 4 | 6): string {
  const services = `-A KUBE-SERVICES -d ${SERVICE}/32 -p tcp -m comment --comment "prod/db:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-HR2VXJFDHLMDGYUE
-A KUBE-SVC-HR2VXJFDHLMDGYUE -m comment --comment "prod/db:http -> ${POD[4]}:8080" -j KUBE-SEP-4XKZWHZF2MZQ3H2X
-A KUBE-SEP-4XKZWHZF2MZQ3H2X -s ${POD[4]}/32 -m comment --comment "prod/db:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-4XKZWHZF2MZQ3H2X -p tcp -m comment --comment "prod/db:http" -m tcp -j DNAT --to-destination ${POD[4]}:8080
`;
  return `*mangle
:KUBE-PROXY-CANARY - [0:0]
COMMIT
*nat
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-HR2VXJFDHLMDGYUE - [0:0]
:KUBE-SEP-4XKZWHZF2MZQ3H2X - [0:0]
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
${version === 4 ? services : ''}-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
*filter
:KUBE-PROXY-CANARY - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;
}

/** Written once, when kube-proxy starts. */
const JUMPS = `*nat
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
COMMIT
*filter
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A OUTPUT -j KUBE-FIREWALL
COMMIT
`;

const allow = (ports: readonly number[]): object =>
  np('db', {
    selector: "role == 'db'",
    ingress: [
      { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" }, destination: { ports } },
    ],
  });

const PAIRS = [
  ['iptables NFT', 'nft'],
  ['iptables Legacy', 'legacy'],
  ['nftables', 'nft'],
  ['nftables', 'legacy'],
] as const;

for (const [ours, theirs] of PAIRS)
  describeOnKernel(`${ours} beside kube-proxy with iptables-${theirs}`, function () {
    this.timeout(180_000);
    let node: TestNode;
    const options = () => ({ netns: node.netns, backend: theirs });

    /** All that is not ours, in its order. */
    const others = async (): Promise<object> => {
      const saved = await Promise.all(
        VERSIONS.map((version) => iptables.save(version, undefined, options())),
      );
      const chains = saved.map((tables) =>
        tables.map(({ table, chains: each }) => [
          table,
          ...each
            .filter(({ name }) => !name.startsWith('cali-'))
            .map(({ name, policy, rules }) => [
              name,
              policy,
              ...rules.filter((rule) => !rule.includes('cali:')),
            ]),
        ]),
      );
      // A table of which only the kernel's own chains are there is one that we alone need.
      const kept = chains.map((tables) =>
        tables.filter(([, ...each]) =>
          each.some((chain) => chain.length > 2 || String(chain[0]).startsWith('KUBE')),
        ),
      );
      return { kept, sets: await ipset.save('KUBE-CLUSTER-IP', options()) };
    };

    /** Whether the service's address leads to an open connection. */
    const served = async (): Promise<boolean> => (await node.prober('web').open(SERVICE, 80)) !== undefined;

    const sync = async (): Promise<void> => {
      for (let i = 0; i < 8; i++)
        for (const version of VERSIONS) await iptables.restore(version, kubeProxy(version), options());
    };

    beforeEach(async () => {
      node = await TestNode.create([WEB, DB]);
      await node.put(
        configurationOf({ ...BACKENDS[ours], iptablesRefreshInterval: '50ms' }),
        POOL,
        openProfile('prod'),
        endpointOf(WEB),
        endpointOf(DB),
        allow([8080]),
      );
      for (const version of VERSIONS) {
        await iptables.restore(version, kubeProxy(version), options());
        await iptables.restore(version, JUMPS, options());
      }
      await ipset.restore(
        'create KUBE-CLUSTER-IP hash:ip,port family inet\nadd KUBE-CLUSTER-IP 10.96.0.10,tcp:80\n',
        options(),
      );
    });
    afterEach(() => node.remove());

    it('leaves its rules as they are and where they are, and its service leads where policy lets it', async () => {
      const before = await others();
      await node.startFelix();
      expect(await others()).to.deep.equal(before);
      expect(await served()).to.equal(true);
      await node.put(allow([9090]));
      await node.settled();
      expect(await node.prober('web').reach('tcp', POD[4], 8080, false)).to.equal(false);
      await node.stopFelix();
      await node.startFelix();
      const { passes } = node.felix.status();
      while (node.felix.status().passes < passes + 2) await new Promise((resolve) => setTimeout(resolve, 10));
      await node.delete(allow([9090]), endpointOf(WEB), endpointOf(DB), POOL);
      await node.settled();
      expect(await others()).to.deep.equal(before);
    });

    it('loses nothing while both write, nor does kube-proxy', async () => {
      const before = await others();
      await node.startFelix();
      const change = async (): Promise<void> => {
        for (let i = 0; i < 12; i++) {
          await node.put(allow([8080, 9000 + i]));
          await node.settled();
        }
        await node.put(allow([8080]));
        await node.settled();
      };
      await Promise.all([sync(), change()]);
      expect(await others()).to.deep.equal(before);
      expect(await served()).to.equal(true);
      expect(await node.prober('web').reach('tcp', POD[4], 9000, false)).to.equal(false);
      await node.stopFelix();
      await node.startFelix();
      // What the kernel holds is what is wanted.
      expect(node.felix.status().lastPass?.steps).to.equal(0);
    });
  });
