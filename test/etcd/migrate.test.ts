/** From the embedded store into a real etcd and back: every value as it was. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { unwrap } from '../../api/index.ts';
import { type Entry, openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import {
  dumpLines,
  exportStore,
  parseDump,
  restore,
  setReady,
  snapshot,
} from '../../datastore/migrate/index.ts';
import { skip } from '../../datastore/skip.ts';
import { temporaryStore } from '../../datastore/testing.ts';
import { Ipam } from '../../ipam/index.ts';
import { EtcdServer } from './server.ts';

describe('migration to etcd', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  const clock = new SimulatedClock();
  let there: Store;

  before(async function () {
    try {
      execFileSync('etcd', ['--version']);
    } catch {
      skip(this, 'no etcd on this machine');
    }
    await server.start();
    there = await openStore(`etcd://${server.endpoint}/migrated`);
  });
  after(async () => {
    await there?.close();
    await server.remove();
  });

  it('and back, by way of files', async () => {
    const [here, again] = [await temporaryStore(), await temporaryStore()];
    await fill(here, clock);
    await setReady(here, clock, false);
    const counted = await move(here, there);
    expect(counted).to.deep.include({ kind: 'NetworkPolicy', objects: 120, written: 120 });
    expect(counted).to.deep.include({ kind: 'IPAMBlock', objects: 2, written: 2 });
    const back = await move(there, again);
    expect(back.map(({ kind, objects }) => [kind, objects])).to.deep.equal(
      counted.map(({ kind, objects }) => [kind, objects]),
    );
    expect(blocks(await snapshot(again))).to.deep.equal(blocks(await snapshot(here)));
    const freed = await new Ipam(again, clock, Math.random).releaseByHandle('net.web');
    expect(freed.map(String), 'IPAM goes on with what it finds').to.have.length(4);
  });

  async function move(from: Store, to: Store) {
    const text = [...dumpLines(unwrap(await exportStore(from)))].join('');
    return unwrap(await restore(to, clock, unwrap(parseDump(text, 'dump')), { overwrite: false })).kinds;
  }
});

function blocks(entries: readonly Entry[]): unknown[] {
  return entries.filter(({ key }) => key.kind === 'IPAMBlock').map(({ key, value }) => [key, value]);
}

/** More policies than one transaction of etcd takes. */
async function fill(store: Store, clock: SimulatedClock): Promise<void> {
  const client = new ResourceClient(store, clock);
  const pools = { lab4: '10.0.0.0/16', lab6: 'fd00::/64' };
  for (const [name, cidr] of Object.entries(pools)) {
    unwrap(
      await client.create({
        apiVersion: 'projectcalico.org/v3',
        kind: 'IPPool',
        metadata: { name },
        spec: { cidr, allowedUses: ['Workload'], assignmentMode: 'Automatic' },
      } as Parameters<typeof client.create>[0]),
    );
  }
  for (const kind of ['StagedNetworkPolicy', 'StagedGlobalNetworkPolicy', 'StagedKubernetesNetworkPolicy']) {
    const scope = kind === 'StagedGlobalNetworkPolicy' ? '' : 'shop';
    const metadata = { name: 'later', ...(scope === '' ? {} : { namespace: scope }) };
    const value = { apiVersion: 'projectcalico.org/v3', kind, metadata, spec: { stagedAction: 'Set' } };
    await store.commit([{ type: 'put', key: { kind, scope, name: 'later' }, value, expect: 'absent' }]);
  }
  for (let i = 0; i < 120; i++) {
    const key = { kind: 'NetworkPolicy', scope: 'shop', name: `web-${i}` };
    const value = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'NetworkPolicy',
      metadata: { name: key.name, namespace: 'shop' },
      spec: { tier: 'default', order: i, selector: 'all()', types: ['Ingress'], laterField: i },
    };
    await store.commit([{ type: 'put', key, value, expect: 'absent' }]);
  }
  const request = { host: 'a1', handle: 'net.web', attributes: { node: 'a1', pod: 'web' }, v4: 2, v6: 2 };
  unwrap(await new Ipam(store, clock, Math.random).autoAssign(request));
}
