/** What rules have counted, read back by their hashes, alike on every backend. */
import { expect } from 'chai';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { chooseBackend } from '../../felix-lite/dataplane/backend.ts';
import { openDataplane } from '../../felix-lite/dataplane/open.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile } from './node.ts';

describeOnKernel('counters of policy rules', function () {
  this.timeout(180_000);
  const seen = new Map<string, readonly string[]>();

  for (const [backend, spec] of Object.entries(BACKENDS))
    it(`tell how many packets each rule decided, ${backend}`, async () => {
      const node = await TestNode.create([WEB, DB]);
      try {
        await node.put(configurationOf(spec), openProfile('prod'), endpointOf(WEB), endpointOf(DB), {
          apiVersion: 'projectcalico.org/v3',
          kind: 'NetworkPolicy',
          metadata: { name: 'db', namespace: 'prod' },
          spec: {
            selector: "role == 'db'",
            ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [8080] } }],
          },
        });
        await node.startFelix();
        for (let i = 0; i < 3; i++) await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, false);
        const settings = readSettings(undefined, undefined);
        const chosen = await chooseBackend({ nftables: undefined, iptables: undefined }, node.netns);
        const reader = openDataplane(chosen, { rules: settings.rules, versions: [4, 6], netns: node.netns });
        const counters = (await reader.counters()).filter(({ chain }) =>
          chain.startsWith('cali-pi-np/prod/db'),
        );
        reader.close();
        const first = counters.find(({ version, index }) => version === 4 && index === 0);
        expect(Number(first?.packets)).to.equal(3);
        // An IPv4 header and a TCP header each, without options.
        expect(Number(first?.bytes)).to.equal(3 * 40);
        expect(counters.find(({ version }) => version === 6)?.packets).to.equal(0n);
        seen.set(
          backend,
          counters.map(({ version, chain, index }) => `${version} ${chain} ${index}`),
        );
      } finally {
        await node.remove();
      }
    });

  it('name the rules alike', () => {
    const [first, ...others] = [...seen.values()];
    expect(first).to.have.length.greaterThan(1);
    for (const other of others) expect(other).to.deep.equal(first);
  });
});
