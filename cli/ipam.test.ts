/** ipam explain, release, configure, split and the report of check, as a user types them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Key, openStore } from '../datastore/index.ts';
import { type CommandLine, commandLine, endpoint, node, pool, take } from './testing.ts';

function block(cidr: string, affinity: string | null): [Key, unknown] {
  return [
    { kind: 'IPAMBlock', scope: '', name: cidr },
    {
      cidr,
      affinity,
      allocations: Array.from({ length: 8 }, () => null),
      unallocated: [0, 1, 2, 3, 4, 5, 6, 7],
      attributes: [],
      sequenceNumber: 1,
      deleted: false,
    },
  ];
}

function affinity(owner: string, cidr: string): [Key, unknown] {
  return [
    { kind: 'BlockAffinity', scope: owner, name: cidr },
    { state: 'pending', deleted: false },
  ];
}

describe('poplin ipam', () => {
  let poplin: CommandLine;
  beforeEach(async () => {
    poplin = commandLine();
    await poplin('apply -f -', [pool('lab', '10.0.0.0/24'), node].join('---\n'));
  });

  async function explain(address: string): Promise<string> {
    const { code, out } = await poplin(`ipam explain ${address}`);
    expect(code).to.equal(0);
    return out;
  }

  async function put(key: Key, value: unknown): Promise<void> {
    const store = await openStore(join(poplin.folder, 'datastore.db'));
    try {
      await store.commit([{ type: 'put', key, value, expect: 'any' }]);
    } finally {
      await store.close();
    }
  }

  /** Kinds of what check finds. */
  async function found(): Promise<string[]> {
    const { out } = await poplin('ipam check -o json');
    return (JSON.parse(out) as { kind: string }[]).map(({ kind }) => kind).toSorted();
  }

  /** Takes an address, and has the endpoint use it. */
  async function web(): Promise<string> {
    const [address = ''] = await take(poplin.folder, 'default/web', 1);
    await poplin('apply -f -', endpoint(address));
    return address;
  }

  describe('explain', () => {
    it('follows an address from the pool to the workload', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      await poplin('apply -f -', endpoint(address));
      const out = await explain(address);
      expect(out).to.match(new RegExp(`^IP ${address} is in use by default/a1-k8s-web-eth0\n`));
      expect(out).to.match(/Pool +lab \(10\.0\.0\.0\/24\)/);
      expect(out).to.match(/Block +10\.0\.0\.\d+\/26, 1 of 64 in use/);
      expect(out).to.match(/Affinity +host:a1, confirmed, claimed 20/);
      expect(out).to.match(/Handle +net\.default-web, 1 address in all/);
      expect(out).to.match(/Node +a1\n/);
      expect(out).to.match(/Since +not said/);
      expect(out).to.match(/Attribute +namespace: default\n.*pod: web/);
      expect(out).to.match(/Workload +default\/a1-k8s-web-eth0, cali0123456789a on a1/);
      const json: unknown = JSON.parse((await poplin(`ipam explain ${address} -o json`)).out);
      expect(json).to.have.nested.property('affinity.owner', 'host:a1');
      expect(json).to.have.nested.property('endpoints[0].interface', 'cali0123456789a');
    });

    it('says what is odd, and what would happen', async () => {
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      expect(await explain(address))
        .to.contain(`leaked`)
        .and.contain(`poplin ipam release --ip ${address}`);
      expect(await explain('192.0.2.1')).to.contain('outside every IPPool');
      const block = address.replace(/\d+$/, (last) => String(Number(last) - (Number(last) % 64) + 40));
      expect(await explain(block)).to.contain('is free, in a block of host:a1');
      await poplin(
        'apply -f -',
        `apiVersion: projectcalico.org/v3\nkind: IPReservation\nmetadata: {name: printers}\nspec: {reservedCIDRs: ["${block}/32"]}\n`,
      );
      expect(await explain(block)).to.contain('reserved by IPReservation printers');
      await poplin('apply -f -', endpoint('10.0.0.250'));
      expect(await explain('10.0.0.250')).to.contain('though IPAM has not given it');
      await poplin('apply -f -', pool('old', '10.9.0.0/24', ', disabled: true'));
      expect(await explain('10.9.0.1'))
        .to.contain('IPPool old is disabled')
        .and.contain('none');
      expect((await poplin('ipam explain 10.0.0.300')).code).to.equal(2);
    });
  });

  describe('release', () => {
    it('releases one address, but none that a workload uses unless forced', async () => {
      const [leaked = '', used = ''] = await take(poplin.folder, 'default/web', 2);
      await poplin('apply -f -', endpoint(used));
      expect((await poplin(`ipam release --ip ${leaked}`)).out).to.equal(
        `Successfully released IP address ${leaked}\n`,
      );
      const free = await poplin(`ipam release --ip ${leaked}`);
      expect([free.code, free.out]).to.deep.equal([1, '']);
      expect(free.err).to.contain(`IP address ${leaked} is not assigned`);
      const refused = await poplin(`ipam release --ip ${used}`);
      expect(refused.code).to.equal(1);
      expect(refused.err).to.contain('default/a1-k8s-web-eth0').and.contain('--force');
      expect((await poplin(`ipam show --ip ${used}`)).out).to.contain('is in use');
      expect((await poplin(`ipam release --ip ${used} --force`)).out).to.contain('Successfully');
      expect((await poplin('ipam check')).out).not.to.contain('net.default-web');
      for (const line of ['ipam release', 'ipam release --ip x', `ipam release --ip ${used} --from-report f`])
        expect((await poplin(line)).code, line).to.equal(2);
    });

    it('releases what a report found, if it is still held as it was then', async () => {
      const report = join(poplin.folder, 'report.json');
      const [leaked = '', again = '', come = ''] = await take(poplin.folder, 'default/web', 3);
      await poplin('datastore migrate lock');
      const checked = await poplin(`ipam check --show-all-ips -o ${report}`);
      expect(checked.code, 'as calicoctl').to.equal(0);
      expect((await poplin('ipam check --exit-code')).code).to.equal(1);
      expect(checked.out)
        .to.contain(
          `  ${leaked} allocated; attrs Main:net.default-web Extra:namespace=default,node=a1,pod=web\n`,
        )
        .and.contain(`  ${leaked} leaked; attrs Main:net.default-web`)
        .and.contain('Found 3 IPs that are allocated in IPAM but not actually in use.\n');
      expect(JSON.parse(readFileSync(report, 'utf8'))).to.have.nested.property('datastoreLocked', true);
      // One is given anew to the same handle, one has found its endpoint.
      await poplin(`ipam release --ip ${again}`);
      for (let taken = ''; taken !== again; ) [taken = ''] = await take(poplin.folder, 'default/web', 1);
      await poplin('apply -f -', endpoint(come));
      const { out, err } = await poplin(`ipam release --from-report ${report}`);
      expect(out.split('\n').slice(0, 3)).to.deep.equal([
        'Releasing 3 old IPs...',
        'Released 1 IPs successfully',
        '1 addresses are used by now and were left alone.',
      ]);
      expect(err).to.contain(`${again} is held by net.default-web anew`);
      expect((await poplin(`ipam show --ip ${leaked}`)).out).to.contain('is not assigned');
      for (const address of [again, come])
        expect((await poplin(`ipam show --ip ${address}`)).out).to.contain('is in use');
    });

    it('trusts a report only under the lock that it was made under', async () => {
      const report = join(poplin.folder, 'report.json');
      const [address = ''] = await take(poplin.folder, 'default/web', 1);
      const release = (extra = ''): Promise<{ code: number; err: string; out: string }> =>
        poplin(`ipam release --from-report ${report}${extra}`);
      await poplin(`ipam check -o ${report}`);
      expect((await release()).err).to.contain('is not locked');
      await poplin('datastore migrate lock');
      expect((await release()).err).to.contain('before the datastore was locked');
      await poplin(`ipam check -o ${report}`);
      await poplin('datastore migrate unlock');
      await poplin('datastore migrate lock');
      expect((await release()).err).to.contain('before the datastore was locked');
      const text = readFileSync(report, 'utf8');
      writeFileSync(report, text.replace('"clusterGUID":""', '"clusterGUID":"other"'));
      expect((await release(' --force')).err).to.contain('another cluster');
      writeFileSync(report, '{}');
      expect((await release()).err).to.contain('no report of ipam check');
      writeFileSync(report, text);
      expect((await poplin(`ipam show --ip ${address}`)).out).to.contain('is in use');
      expect((await release(' --force')).out).to.contain('Released 1');
    });
  });

  it('releases what is in all of several reports, and handles that have not changed', async () => {
    const reports = ['one', 'two'].map((name) => join(poplin.folder, name));
    const [leaked = '', gone = ''] = await take(poplin.folder, 'default/web', 2);
    const idle = { kind: 'IPAMHandle', scope: '', name: 'net.idle' };
    const store = await openStore(join(poplin.folder, 'datastore.db'));
    try {
      const value = { block: { '10.0.0.0/26': 1 }, deleted: false };
      await store.commit([{ type: 'put', key: idle, value, expect: 'absent' }]);
      await poplin(`ipam check -o ${reports[0]}`);
      await poplin('apply -f -', endpoint(gone));
      await poplin('datastore migrate lock');
      await poplin(`ipam check -o ${reports[1]}`);
      // In the second report it is used, and so it is not in both.
      await poplin('delete workloadendpoint a1-k8s-web-eth0');
      const { code, out } = await poplin(
        `ipam release ${reports.map((file) => `--from-report ${file}`).join(' ')}`,
      );
      expect(code).to.equal(0);
      expect(out.split('\n')).to.include.members([
        'Releasing 1 old IPs...',
        'Released 1 IPs successfully',
        'Deleting 1 handles...',
        'Released 1 handles; 0 skipped; 0 errors.',
        'You may now unlock the data store.',
      ]);
      expect(await store.get(idle)).to.equal(undefined);
    } finally {
      await store.close();
    }
    expect((await poplin(`ipam show --ip ${leaked}`)).out).to.contain('is not assigned');
    expect((await poplin(`ipam show --ip ${gone}`)).out).to.contain('is in use');
  });

  it('collects by hand what stays wrong, and says before what it would do', async () => {
    const [leaked = '', used = ''] = await take(poplin.folder, 'default/web', 2);
    await poplin('apply -f -', endpoint(used));
    const dry = await poplin('ipam gc --dry-run');
    expect(dry.code).to.equal(1);
    expect(dry.out)
      .to.contain(`would release ${leaked}, held by net.default-web: no workload endpoint has it`)
      .and.contain('1 finding(s). Nothing was changed.');
    expect((await poplin(`ipam show --ip ${leaked}`)).out).to.contain('is in use');
    const collected = await poplin('ipam gc --grace-period=0.1 -o json');
    expect(collected.code).to.equal(0);
    expect(collected.err).to.contain('for 0.1 s');
    expect(JSON.parse(collected.out)).to.have.nested.property('findings[0].outcome', 'done');
    expect((await poplin(`ipam show --ip ${leaked}`)).out).to.contain('is not assigned');
    expect(await poplin('ipam gc')).to.deep.equal({
      code: 0,
      out: 'Put 0 of 0 finding(s) right.\n',
      err: '',
    });
    await poplin('datastore migrate lock');
    const locked = await poplin('ipam gc --confirm');
    expect(locked.code).to.equal(1);
    expect(locked.out).to.contain('a migration holds the datastore; wait until that is over');
    expect((await poplin('ipam gc --grace-period=-1')).code).to.equal(2);
  });

  describe('check finds', () => {
    it('nothing where all fits', async () => {
      await web();
      expect(await found()).to.deep.equal([]);
    });

    it('an address of two endpoints', async () => {
      const address = await web();
      await poplin('apply -f -', endpoint(address).replaceAll('web', 'twin'));
      expect(await found()).to.deep.equal(['doubled']);
    });

    it('a handle that counts what no block has, and one that is missing', async () => {
      await web();
      const handle = { kind: 'IPAMHandle', scope: '', name: 'net.idle' };
      await put(handle, { block: { '10.0.0.0/26': 1 }, deleted: false });
      expect(await found()).to.deep.equal(['wrong-handle']);
      await put({ ...handle, name: 'net.default-web' }, { block: {}, deleted: false });
      expect(await found()).to.deep.equal(['wrong-handle', 'wrong-handle']);
      const { out } = await poplin('ipam check');
      expect(out).to.contain('Found 1 handles with no matching IPs (and 1 handles with matches).');
    });

    it('blocks without affinity, affinities without block, blocks of nobody and of nodes that left', async () => {
      await put(...block('10.0.0.128/29', 'host:a1'));
      await put(...affinity('host:a1', '10.0.0.136/29'));
      await put(...block('10.0.0.144/29', null));
      await put(...block('10.0.0.152/29', 'host:left'));
      await put(...affinity('host:left', '10.0.0.152/29'));
      expect(await found()).to.deep.equal(['gone-node', 'lost-affinity', 'nobodys-block', 'stale-affinity']);
    });

    it('blocks outside pools, across each other, and at odds with themselves', async () => {
      for (const cidr of ['10.9.0.0/29', '10.0.0.128/29', '10.0.0.128/29']) {
        await put(...block(cidr, 'host:a1'));
        await put(...affinity('host:a1', cidr));
      }
      expect(await found()).to.deep.equal(['orphaned-block']);
      const [key, value] = block('10.0.0.128/28', 'host:a1');
      const wide = Array.from({ length: 16 }, () => null);
      await put(key, { ...(value as object), allocations: wide, unallocated: wide.map((_, i) => i) });
      await put(...affinity('host:a1', '10.0.0.128/28'));
      expect(await found()).to.deep.equal(['inconsistent', 'orphaned-block']);
      await put(key, { ...(value as object), allocations: wide, unallocated: [] });
      expect((await found()).filter((kind) => kind === 'inconsistent').length).to.be.greaterThan(1);
    });
  });

  it('configures, and shows the configuration', async () => {
    const shown = async (): Promise<unknown> =>
      JSON.parse((await poplin('ipam show --show-configuration -o json')).out);
    const preset = {
      strictAffinity: false,
      autoAllocateBlocks: true,
      maxBlocksPerHost: 20,
      ipCooldownSeconds: 0,
    };
    expect(await shown()).to.deep.equal(preset);
    expect((await poplin('ipam configure --max-blocks-per-host=4')).err).to.contain('strict affinity');
    expect(await shown(), 'nothing is written').to.deep.equal(preset);
    await poplin('ipam configure --strictaffinity=true --max-blocks-per-host=4');
    expect(await shown()).to.deep.equal({ ...preset, strictAffinity: true, maxBlocksPerHost: 4 });
    expect((await poplin('ipam show --show-configuration')).out).to.match(/\| MaxBlocksPerHost +\| 4 +\|/);
    expect((await poplin('ipam configure --strictaffinity=false')).code).to.equal(1);
    await poplin('ipam configure --strictaffinity=false --max-blocks-per-host=0');
    expect(await shown()).to.deep.equal(preset);
    for (const line of [
      '',
      ' --strictaffinity=yes',
      ' --max-blocks-per-host=1.5',
      ' --max-blocks-per-host=x',
      ' --ip-cooldown-seconds=1201',
      ' --ip-cooldown-seconds=0.5',
    ])
      expect((await poplin(`ipam configure${line}`)).code, line).to.equal(2);
  });

  it('lets released addresses rest, and says so everywhere', async () => {
    expect((await poplin('ipam configure --ip-cooldown-seconds=600')).out).to.contain('rest for 600 s');
    expect((await poplin('ipam show --show-configuration')).out).to.match(/\| IPCooldownSeconds +\| 600 +\|/);
    const [address = ''] = await take(poplin.folder, 'default/web', 1);
    const release = (): Promise<{ code: number; out: string }> => poplin(`ipam release --ip ${address}`);
    expect((await release()).out).to.equal(`Successfully released IP address ${address}\n`);
    const again = await release();
    expect(again.code).to.equal(0);
    expect(again.out).to.match(/was released already, at 20\S+Z, and cools down/);
    expect((await poplin(`ipam show --ip ${address}`)).out).to.match(
      /was released at 20\S+Z, and cools down/,
    );
    expect(JSON.parse((await poplin(`ipam show --ip ${address} -o json`)).out)).to.include({ inUse: false });
    expect(await explain(address)).to.match(/is released at 20\S+Z, cooling down/);
    expect((await poplin('ipam show')).out).to.match(/IP Pool .* 1 \(0%\) \|$/m);
    expect(await found()).to.deep.equal([]);
    const applied = await poplin(
      'apply -f -',
      `{apiVersion: projectcalico.org/v3, kind: IPAMConfiguration, metadata: {name: default}, spec: {ipCooldownSeconds: 1201}}`,
    );
    expect(applied.err).to.contain('spec.ipCooldownSeconds');
    await poplin('ipam configure --ip-cooldown-seconds=0');
    expect((await poplin(`ipam explain ${address}`)).out, 'until the next write').to.contain('cooling down');
    const taken = await take(poplin.folder, 'default/other', 256);
    expect(taken).to.include(address);
  });

  it('splits a pool, and leaves the blocks where they are', async () => {
    const [address = ''] = await take(poplin.folder, 'default/web', 1);
    await poplin('apply -f -', endpoint(address));
    await poplin('apply -f -', pool('six', 'fd00::/64', ', natOutgoing: true'));
    expect((await poplin('ipam split 4 --name=lab')).err).to.contain('not locked');
    await poplin('datastore migrate lock');
    expect((await poplin('ipam split 8 --name=lab')).err).to.contain('each part must hold a block, a /26');
    expect((await poplin('ipam split 2 --name=none')).err).to.contain('there is no IPPool none');
    expect((await poplin('ipam split 3 --name=lab')).code).to.equal(2);
    expect((await poplin('ipam split 2')).code).to.equal(2);
    expect((await poplin('ipam split 4 --name=lab')).code).to.equal(0);
    expect((await poplin('ipam split 2 --cidr=fd00::/64')).code).to.equal(0);
    expect((await poplin('get ippools -o custom-columns=CIDR,NAT')).out).to.equal(
      [
        'CIDR                  NAT',
        '10.0.0.0/26           false',
        '10.0.0.64/26          false',
        '10.0.0.128/26         false',
        '10.0.0.192/26         false',
        'fd00::/65             true',
        'fd00::8000:0:0:0/65   true',
        '\n',
      ].join('\n'),
    );
    expect((await poplin('ipam check')).code).to.equal(0);
  });
});
