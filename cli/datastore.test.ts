/** datastore migrate as a user types it. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openStore, type Operation } from '../datastore/index.ts';
import { type CommandLine, commandLine, endpoint, node, policy, pool, take } from './testing.ts';

describe('poplin datastore', () => {
  let poplin: CommandLine;
  let address: string;
  beforeEach(async () => {
    poplin = commandLine();
    await poplin('apply -f -', [pool('lab', '10.0.0.0/16'), node, policy('web')].join('---\n'));
    [address = ''] = await take(poplin.folder, 'default/web', 1);
    await poplin('apply -f -', endpoint(address));
  });

  it('moves into another file of the same content', async () => {
    const [file, other] = [join(poplin.folder, 'dump'), join(poplin.folder, 'other.db')];
    expect((await poplin('datastore migrate lock')).out).to.equal('Datastore locked.\n');
    expect(await poplin(`datastore migrate export -f ${file}`)).to.deep.equal({
      code: 0,
      out: '',
      err: 'Exported 8 objects.\n',
    });
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const imported = await poplin(`datastore migrate import -f ${file} --datastore ${other}`);
    expect(imported).to.deep.include({ code: 0, err: '' });
    expect(imported.out)
      .to.match(/^IPPool +1 +1$/m)
      .and.contain('Verified: all 8 objects')
      .and.contain('poplin datastore migrate unlock');
    const again = await poplin(`datastore migrate export --datastore ${other}`);
    expect(again.out).to.equal(readFileSync(file, 'utf8'));
    expect((await poplin(`ipam show --ip ${address} --datastore ${other}`)).out).to.contain(
      'net.default-web',
    );
    expect((await poplin(`datastore migrate unlock --datastore ${other}`)).out).to.contain('unlocked');
    expect((await poplin(`get clusterinfo -o yaml --datastore ${other}`)).out).to.contain(
      'datastoreReady: true',
    );
  });

  it('warns when what it exports may change, and refuses what is not empty', async () => {
    const exported = await poplin('datastore migrate export');
    expect(exported.err).to.contain('not locked');
    const refused = await poplin('datastore migrate import', exported.out);
    expect(refused.code).to.equal(1);
    expect(refused.err).to.contain('is not empty').and.contain('--overwrite');
    expect((await poplin('datastore migrate import --overwrite', exported.out)).code).to.equal(0);
  });

  it("moves by way of calicoctl's file, and gives what is in it an identity", async () => {
    const [file, other] = [join(poplin.folder, 'calico.yaml'), join(poplin.folder, 'other.db')];
    const refs = 'orchRefs: [{nodeName: a1, orchestrator: k8s}]';
    await poplin('apply -f -', node.replace('spec: {', `spec: {${refs}, `));
    const exported = await poplin(`datastore migrate export --format calico -f ${file}`);
    expect(exported.err).to.contain('Left behind 1 WorkloadEndpoint').and.contain('Exported 6 objects');
    const imported = await poplin(`datastore migrate import -f ${file} --datastore ${other}`);
    expect(imported).to.deep.include({ code: 0, err: '' });
    expect(imported.out).to.contain('Verified: all 6 objects');
    expect((await poplin(`get ippools -o yaml --datastore ${other}`)).out).to.match(/uid: [0-9a-f-]{36}/);
    const again = await poplin(`datastore migrate export --format calico --datastore ${other}`);
    expect(again.out.replaceAll(/"datastoreReady": \w+|"uid": .*/g, '')).to.contain(
      readFileSync(file, 'utf8').split('===\n')[0],
    );
  });

  it('makes no datastore out of a file that is none', async () => {
    const other = join(poplin.folder, 'other.db');
    writeFileSync(join(poplin.folder, 'no'), 'kind: IPPool\n');
    const ran = await poplin(`datastore migrate import -f ${join(poplin.folder, 'no')} --datastore ${other}`);
    expect(ran.err).to.contain('is no export of a datastore');
    expect((await poplin(`get nodes --datastore ${other}`)).err).to.contain('there is no datastore');
    expect((await poplin('datastore migrate import -f /nowhere/x')).err).to.contain(
      '/nowhere/x cannot be read',
    );
  });

  it('copies at once, and leaves both locked', async () => {
    const [from, to] = [join(poplin.folder, 'datastore.db'), join(poplin.folder, 'other.db')];
    expect((await poplin(`datastore migrate copy --from ${from} --to ${to}`)).out).to.contain('Verified');
    for (const store of [from, to])
      expect((await poplin(`datastore migrate lock --datastore ${store}`)).out).to.contain('already');
    expect((await poplin(`datastore migrate copy --from ${from}`)).code).to.equal(2);
    expect((await poplin(`datastore migrate copy --from ${from} --to ${from}`)).code).to.equal(2);
  });

  it('checks what is there, alone and together', async () => {
    expect(await poplin('datastore check')).to.deep.equal({
      code: 0,
      out: '7 objects: all can be read, and fit together.\n',
      err: '',
    });
    const store = await openStore(join(poplin.folder, 'datastore.db'));
    await store.commit([
      resource('IPPool', 'other', { cidr: '10.0.128.0/17', laterField: 'of a newer release' }),
      resource('GlobalNetworkPolicy', 'stray', { tier: 'gone', selector: 'all()' }),
      resource('Tier', 'odd', { order: 'first' }),
      { type: 'put', key: { kind: 'Tier', scope: '', name: 'text' }, value: '{"kind":', expect: 'any' },
      { type: 'delete', key: { kind: 'Node', scope: '', name: 'a1' }, expect: 'any' },
    ]);
    await store.close();
    await take(poplin.folder, 'default/gone', 1);
    const { code, out } = await poplin('datastore check');
    expect(code, out).to.equal(1);
    for (const found of [
      /IPPool\/other, .*10\.0\.0\.0\/16/,
      /GlobalNetworkPolicy\/stray, spec.tier: .*gone/,
      /Tier\/odd, spec.order/,
      /Tier\/text: the datastore holds text that is no JSON object/,
      /WorkloadEndpoint\/default\/a1-k8s-web-eth0, spec.node: .*a1, which does not exist/,
      /held by net.default-gone, used by no workload endpoint/,
      /^6 problem\(s\) in 11 objects: .*1 NODE_MISSING.*. Nothing was changed.$/m,
    ])
      expect(out).to.match(found);
    const json: unknown = JSON.parse((await poplin('datastore check -o json')).out);
    expect(json).to.have.property('problems').with.length(6);
  });

  it('checks for owners that are gone, and kinds that nobody knows', async () => {
    const store = await openStore(join(poplin.folder, 'datastore.db'));
    const foreign = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'x' };
    await store.commit([
      owned('mine', owner('a1'), foreign),
      owned('lost', owner('gone')),
      owned('stale', owner('a1', 'other')),
    ]);
    await store.commit([
      { type: 'put', key: { kind: 'Strange', scope: '', name: 'x' }, value: {}, expect: 'any' },
    ]);
    await store.close();
    const { code, out } = await poplin('datastore check');
    expect(code).to.equal(1);
    expect(out)
      .to.match(/GlobalNetworkSet\/lost, metadata.ownerReferences: .*Node\/gone/)
      .and.match(/GlobalNetworkSet\/stale, .*Node\/a1/)
      .and.match(/1 of kind Strange/)
      .and.match(/^3 problem\(s\) in 10 objects: 2 OWNER_MISSING, 1 STORE_UNKNOWN\. /m);
    expect((await poplin('datastore migrate export')).err).to.match(
      /^warning: .*1 of kind Strange.*leaves behind/m,
    );
  });

  it('demands the rest of a command', async () => {
    const { code, err } = await poplin('datastore migrate');
    expect(code).to.equal(2);
    expect(err).to.contain('poplin datastore migrate needs one of: export, import, copy, lock, unlock');
  });
});

function resource(kind: string, name: string, spec: object): Operation {
  return {
    type: 'put',
    key: { kind, scope: '', name },
    value: { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec },
    expect: 'any',
  };
}

function owner(name: string, uid?: string): object {
  return { apiVersion: 'projectcalico.org/v3', kind: 'Node', name, uid };
}

function owned(name: string, ...ownerReferences: readonly object[]): Operation {
  const value = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkSet',
    metadata: { name, ownerReferences },
  };
  return {
    type: 'put',
    key: { kind: 'GlobalNetworkSet', scope: '', name },
    value: { ...value, spec: { nets: [] } },
    expect: 'any',
  };
}
