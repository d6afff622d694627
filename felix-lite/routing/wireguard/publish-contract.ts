/** What publishing keys owes on every Store: where Calico's nodes look for them, beside whatever others write to the Node. */
import { expect } from 'chai';
import { type Node, unwrap, validate } from '../../../api/index.ts';
import { SystemClock } from '../../../clock/system.ts';
import { ResourceClient, type Store } from '../../../datastore/index.ts';
import { newPrivateKey, publicKeyOf } from './keys.ts';
import { publishKey } from './publish.ts';

const NODE = 'encrypts-1';

/** @param open  resolves to a store that has, or takes, a Node of the name {@link NODE} */
export function publishContract(engine: string, open: (node: string) => Promise<Store>): void {
  describe(`keys of WireGuard on ${engine}`, () => {
    let client: ResourceClient;
    const found = async (): Promise<Node> => unwrap(await client.get('Node', NODE));
    const key4 = publicKeyOf(newPrivateKey());
    const key6 = publicKeyOf(newPrivateKey());

    before(async () => {
      client = new ResourceClient(await open(NODE), new SystemClock());
      const bgp = { ipv4Address: '192.0.2.21/24', ipv6Address: '2001:db8::21/64' };
      const node = {
        apiVersion: 'projectcalico.org/v3',
        kind: 'Node',
        metadata: { name: NODE },
        spec: { bgp, wireguard: { interfaceIPv4Address: '10.244.9.3' } },
      };
      unwrap(await client.apply(unwrap(validate(node))));
    });

    it('are in the status of the Node, those of both IP versions, though all write at once', async () => {
      const labelled = async (): Promise<readonly unknown[]> => {
        const { metadata, ...node } = await found();
        const labels = { ...metadata.labels, rack: 'a' };
        const written = await client.update({ ...node, metadata: { ...metadata, labels } });
        return written.ok || written.problems[0]?.code === 'RESOURCE_CONFLICT' ? [] : written.problems;
      };
      const problems = await Promise.all([
        publishKey(client, NODE, 4, key4),
        labelled(),
        publishKey(client, NODE, 6, key6),
      ]);
      expect(problems.flat()).to.deep.equal([]);
      const { status, spec } = await found();
      expect(status).to.include({ wireguardPublicKey: key4, wireguardPublicKeyV6: key6 });
      expect(spec.bgp).to.include({ ipv4Address: '192.0.2.21/24' });
      expect(spec.wireguard).to.include({ interfaceIPv4Address: '10.244.9.3' });
    });

    it('are written once: what is there already makes no revision', async () => {
      const before = (await found()).metadata.resourceVersion;
      expect(await publishKey(client, NODE, 4, key4)).to.deep.equal([]);
      expect((await found()).metadata.resourceVersion).to.equal(before);
    });

    it('are exchanged and taken back one by one', async () => {
      const next = publicKeyOf(newPrivateKey());
      expect(await publishKey(client, NODE, 4, next)).to.deep.equal([]);
      expect((await found()).status?.wireguardPublicKey).to.equal(next);
      expect(await publishKey(client, NODE, 4, undefined)).to.deep.equal([]);
      const { status } = await found();
      expect([status?.wireguardPublicKey, status?.wireguardPublicKeyV6]).to.deep.equal([undefined, key6]);
      expect(await publishKey(client, NODE, 6, undefined)).to.deep.equal([]);
      expect((await found()).status?.wireguardPublicKeyV6).to.equal(undefined);
    });
  });
}
