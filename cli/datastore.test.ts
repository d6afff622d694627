/** datastore migrate as a user types it. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
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

  it('demands the rest of a command', async () => {
    const { code, err } = await poplin('datastore migrate');
    expect(code).to.equal(2);
    expect(err).to.contain('poplin datastore migrate needs one of: export, import, copy, lock, unlock');
  });
});
