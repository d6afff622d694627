/** What rules of policy counted, from packets in the kernel to what a person reads and Prometheus scrapes, on every backend. */
import { join } from 'node:path';
import { expect } from 'chai';
import { commandLine } from '../../cli/testing.ts';
import { askControl, serveControl } from '../../daemon/control.ts';
import { controlRoutes } from '../../felix-lite/daemon/control.ts';
import type { PolicyCounter } from '../../felix-lite/daemon/policy-counters.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { scrape } from '../scrape.ts';
import { DB, NODE, TestNode, WEB, addressesOf, endpointOf, openProfile } from './node.ts';

const BACKENDS = {
  'iptables NFT': { nftablesMode: 'Disabled', iptablesBackend: 'NFT' },
  'iptables Legacy': { nftablesMode: 'Disabled', iptablesBackend: 'Legacy' },
  nftables: { nftablesMode: 'Enabled' },
} as const;

describeOnKernel('counters of policies', function () {
  this.timeout(300_000);

  for (const [backend, spec] of Object.entries(BACKENDS))
    it(`say what each rule allowed and denied, ${backend}`, async () => {
      const node = await TestNode.create([WEB, DB]);
      try {
        await node.put(
          {
            apiVersion: 'projectcalico.org/v3',
            kind: 'FelixConfiguration',
            metadata: { name: `node.${NODE}` },
            spec,
          },
          openProfile('prod'),
          endpointOf(WEB),
          endpointOf(DB),
          {
            apiVersion: 'projectcalico.org/v3',
            kind: 'NetworkPolicy',
            metadata: { name: 'db', namespace: 'prod' },
            spec: {
              selector: "role == 'db'",
              ingress: [
                { action: 'Deny', protocol: 'TCP', destination: { ports: [9090] } },
                // Of more parts than one kernel rule can ask.
                { action: 'Allow', protocol: 'TCP', source: { nets: ['10.65.0.0/16', '192.0.2.0/24'] } },
              ],
            },
          },
        );
        await node.startFelix();
        const server = await serveControl(
          join(node.runDir, 'felix.sock'),
          controlRoutes(node.felix, { status: () => ({}) as never, measure: () => Promise.resolve([]) }),
        );
        try {
          const web = node.prober('web');
          for (let i = 0; i < 3; i++) await web.reach('tcp', addressesOf(2)[4], 8080, true);
          await web.reach('tcp', addressesOf(2)[4], 9090, false);
          await web.reach('udp', addressesOf(2)[4], 8080, false);
          const answer = await askControl<{ counters: readonly PolicyCounter[] }>(
            join(node.runDir, 'felix.sock'),
            'GET',
            '/counters',
          );
          const counters = answer.ok ? answer.value.counters : [];
          const packets = (wanted: Partial<PolicyCounter>): number | undefined =>
            counters.find(
              (each) =>
                each.version === 4 &&
                Object.entries(wanted).every(([key, value]) => each[key as keyof PolicyCounter] === value),
            )?.packets;
          // A prober on a busy machine may have tried again.
          const allowed = packets({ name: 'db', rule: 'spec.ingress[1]', action: 'Allow' }) ?? 0;
          expect(allowed).to.be.within(3, 30);
          expect(packets({ name: 'db', rule: 'spec.ingress[0]', action: 'Deny' })).to.be.greaterThan(0);
          expect(packets({ kind: 'Tier', name: 'default', namespace: 'prod' })).to.be.greaterThan(0);
          expect(packets({ kind: 'Profile', name: 'kns.prod', direction: 'egress' })).to.be.greaterThan(4);
          const poplin = commandLine();
          const shown = await poplin(`policy counters -n prod --policy db --run-dir ${node.runDir}`);
          const [headings, denies, allows] = shown.out.split('\n').map(squeezed);
          expect(headings).to.equal('POLICY TIER RULE ACTION PACKETS BYTES');
          expect(denies).to.match(
            /^NetworkPolicy\/prod\/db default spec\.ingress\[0\] Deny [1-9]\d* [1-9]\d*$/,
          );
          expect(allows).to.match(
            new RegExp(`^NetworkPolicy/prod/db default spec\\.ingress\\[1\\] Allow ${allowed} [1-9]\\d+$`),
          );
          expect(shown.code).to.equal(0);
          const denied = await poplin(
            `policy counters --action Allow --hits --policy db -o json --run-dir ${node.runDir}`,
          );
          expect(JSON.parse(denied.out)).to.have.nested.property('counters.length', 1);
          const text = await poplin(`policy counters --policy none --run-dir ${node.runDir}`);
          expect(text.out).to.equal('no rule of policy to show\n');
          const metrics = await scrape(join(node.runDir, 'felix.sock'));
          expect(metrics).to.contain(
            `poplin_felix_policy_packets_total{kind="NetworkPolicy",namespace="prod",name="db",tier="default",direction="ingress",rule="spec.ingress[1]",action="Allow",ip_version="4"} ${allowed}\n`,
          );
          expect(metrics).to.contain('poplin_felix_ready 1\n');
        } finally {
          await server.close();
        }
      } finally {
        await node.remove();
      }
    });

  it('says where nobody answers', async () => {
    const poplin = commandLine();
    const { code, err, out } = await poplin(`policy counters --run-dir ${poplin.folder}`);
    expect([code, out]).to.deep.equal([1, '']);
    expect(err).to.contain('nothing answers on');
  });
});

function squeezed(line: string): string {
  return line.replaceAll(/ +/g, ' ');
}
