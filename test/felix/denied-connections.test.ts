/** What becomes of an open connection when policy turns against it: by default it goes on, as in Calico; or it is cut. */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile } from './node.ts';

function policy(ingress: readonly object[]): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'db', namespace: 'prod' },
    spec: { selector: "role == 'db'", ingress },
  };
}

const FROM_WEB = { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" } } as const;
const BOTH_PORTS = policy([{ ...FROM_WEB, destination: { ports: [8080, 9090] } }]);
const ONE_PORT = policy([{ ...FROM_WEB, destination: { ports: [9090] } }]);

/** Asked to cut within a second; what a busy machine may need on top. */
const PATIENCE_MS = 60_000;

for (const [backend, settings] of Object.entries(BACKENDS)) {
  describeOnKernel(`connections that policy turns against, ${backend}`, function () {
    this.timeout(180_000);
    let node: TestNode;

    const start = async (annotations: object): Promise<void> => {
      node = await TestNode.create([WEB, DB]);
      await node.put(
        configurationOf(settings, annotations),
        openProfile('prod'),
        endpointOf(WEB),
        endpointOf(DB),
        BOTH_PORTS,
      );
      await node.startFelix();
    };
    const open = async (version: 4 | 6, port: number): Promise<number> => {
      const connection = await node.prober('web').open(addressesOf(2)[version], port);
      if (connection === undefined) throw new Error('could not connect');
      expect(await node.prober('web').ping(connection, true)).to.equal(true);
      return connection;
    };
    afterEach(() => node.remove());

    it('are cut within a second where asked for, and no others', async () => {
      await start({ 'felix.poplin.dev/denied-connections': 'Cut' });
      const doomed = [await open(4, 8080), await open(6, 8080)];
      const allowed = [await open(4, 9090), await open(6, 9090)];
      await node.put(ONE_PORT);
      await node.settled();
      const deadline = performance.now() + PATIENCE_MS;
      for (const connection of doomed)
        while (await node.prober('web').ping(connection, false))
          if (performance.now() > deadline) throw new Error('not cut');
      for (const connection of allowed)
        expect(await node.prober('web').ping(connection, true)).to.equal(true);
    });

    it('go on where nobody asked', async () => {
      await start({});
      const connection = await open(4, 8080);
      await node.put(ONE_PORT);
      await node.settled();
      // Later than it would be cut.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      expect(await node.prober('web').ping(connection, true)).to.equal(true);
    });
  });
}
