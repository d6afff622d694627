/**
 * The action Log on every backend: what stands in front of a message, and no more messages than the configuration lets
 * through, while packets go on as if nobody looked. Kernels keep the log of a namespace to themselves, so the rule's own
 * counter says how many were told of.
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, np, openProfile } from './node.ts';

const CONNECTIONS = 8;
const BURST = 3;

describeOnKernel('the action Log', function () {
  this.timeout(180_000);
  for (const [backend, spec] of Object.entries(BACKENDS))
    it(`tells of so many packets and no more, with its prefix, ${backend}`, async () => {
      const node = await TestNode.create([WEB, DB]);
      try {
        await node.put(
          configurationOf({
            ...spec,
            logPrefix: 'poplin %t %k %n',
            logActionRateLimit: '1/hour',
            logActionRateLimitBurst: BURST,
          }),
          openProfile('prod'),
          endpointOf(WEB),
          endpointOf(DB),
          np('db', { selector: "role == 'db'", ingress: [{ action: 'Log' }, { action: 'Allow' }] }),
        );
        await node.startFelix();
        for (let each = 0; each < CONNECTIONS; each++)
          expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
        const told = (await node.felix.counters()).filter(
          ({ version, action }) => version === 4 && action === 'Log',
        );
        expect(told.map(({ rule, packets }) => [rule, packets])).to.deep.equal([['spec.ingress[0]', BURST]]);
        const text =
          spec.nftablesMode === 'Enabled'
            ? await node.run('nft', 'list chain ip calico filter-cali-pi-np/prod/db')
            : await node.run(`iptables-${spec.iptablesBackend.toLowerCase()}-save`, '-t', 'filter');
        expect(text).to.contain('poplin default np db: ');
      } finally {
        await node.remove();
      }
    });
});
