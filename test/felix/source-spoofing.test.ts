/** Who may send from other addresses than its own: with packets, and past the kernel's own check of the way back. */
import { expect } from 'chai';
import { readSysctl } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { TestNode, WEB, DB, addressesOf, endpointOf, interfaceOf, openProfile } from './node.ts';
import { TCP } from './probe-packet.ts';

const OWN = addressesOf(WEB.index)[4];
const LENT = '203.0.113.9';

describeOnKernel('sending from addresses of others', function () {
  this.timeout(300_000);

  for (const [backend, spec] of Object.entries(BACKENDS))
    it(`is for those whom endpoint and configuration both allow it, ${backend}`, async () => {
      const node = await TestNode.create([WEB, DB]);
      const arrives = async (source: string, expected: boolean): Promise<boolean | undefined> => {
        const [outcome] = await node.network.wire.volley([
          {
            from: 'web',
            to: 'db',
            source,
            destination: addressesOf(DB.index)[4],
            protocol: TCP,
            destinationPort: 8080,
            expected,
            // The way back to an address of nobody's does not lead to the sender.
            answered: source === OWN,
          },
        ]);
        return outcome?.arrived;
      };
      const rpFilter = (): string | undefined =>
        readSysctl(`net.ipv4.conf.${interfaceOf(WEB.index)}.rp_filter`, node.netns);
      const allowed = {
        ...endpointOf(WEB),
        spec: { ...specOf(endpointOf(WEB)), allowSpoofedSourcePrefixes: ['203.0.113.0/24'] },
      };
      try {
        await node.put(
          configurationOf({ ...spec, workloadSourceSpoofing: 'Any' }),
          openProfile('prod'),
          endpointOf(WEB),
          endpointOf(DB),
        );
        await node.startFelix();
        expect(await arrives(OWN, true)).to.equal(true);
        expect(await arrives(LENT, false)).to.equal(false);

        await node.put(allowed);
        await node.settled();
        expect(rpFilter()).to.equal('0');
        expect(await arrives(LENT, true)).to.equal(true);
        expect(await arrives('192.0.2.77', false), 'outside the prefix').to.equal(false);
        expect(await arrives(OWN, true)).to.equal(true);

        // A successor whose configuration does not allow it.
        await node.put(configurationOf(spec));
        await node.settled();
        expect(await arrives(LENT, false)).to.equal(false);
        expect(rpFilter()).not.to.equal('0');
      } finally {
        await node.remove();
      }
    });
});

function specOf(endpoint: object): object {
  return (endpoint as { readonly spec: object }).spec;
}
