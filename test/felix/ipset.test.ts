/** Address sets in the real kernel: differences only, growth without a gap, repair of what others did. */
import { expect } from 'chai';
import { Selector } from '../../api/selector/index.ts';
import type { SetChange, SetDefinition, SetId } from '../../felix-lite/calc/model.ts';
import { IpSets, type IpsetIo, kernelIpsets } from '../../felix-lite/dataplane/ipset/sets.ts';
import { Address } from '../../net/addr/index.ts';
import { ipset, iptables } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';

const EVERYTHING = new Selector({ op: 'all' });
const SET: SetDefinition = { id: EVERYTHING.id, of: { selector: EVERYTHING } };
const PORTS: SetDefinition = {
  id: 'n:ports',
  of: { selector: EVERYTHING, namedPort: { name: 'http', protocol: 'tcp' } },
};
const NAME = 'cali40s:5y5I3VdRZfDU01O--xXAPx2';

type Changes = ReadonlyMap<SetId, SetChange>;

function whole(definition: SetDefinition, ...members: readonly string[]): Changes {
  return new Map([[definition.id, { type: 'whole', definition, members: new Set(members) }]]);
}

function delta(added: readonly string[], removed: readonly string[]): Changes {
  return new Map([[SET.id, { type: 'delta', added, removed }]]);
}

describeOnKernel('address sets', () => {
  const namespace = freshNamespace();
  const save = async (name: string): Promise<ipset.SavedSet | undefined> =>
    (await ipset.save(name, { netns: namespace.path() }))[0];
  const members = async (name: string): Promise<readonly string[] | undefined> =>
    (await save(name))?.members.toSorted();

  function open(maxElements?: number): { readonly sets: IpSets; readonly steps: ipset.IpsetStep[] } {
    const kernel = kernelIpsets({ netns: namespace.path() });
    const steps: ipset.IpsetStep[] = [];
    const io: IpsetIo = {
      read: () => kernel.read(),
      write: (batch) => {
        steps.push(...batch);
        return kernel.write(batch);
      },
    };
    return { sets: new IpSets(io, [4, 6], maxElements), steps };
  }

  it('makes one set a family, under the names of Calico', async () => {
    const { sets } = open();
    sets.update(whole(SET, '10.0.0.1', '10.1.0.0/24', 'fd00::1', '::/1'));
    sets.update(whole(PORTS, '10.0.0.1,tcp:80', 'fd00::1,tcp:80'));
    await sets.applyUpdates(true);
    expect(await members(NAME)).to.deep.equal(['10.0.0.1', '10.1.0.0/24']);
    expect(await members(NAME.replace('40', '60'))).to.deep.equal(['::/1', 'fd00::1']);
    expect(await members('cali40n:ports')).to.deep.equal(['10.0.0.1,tcp:80']);
    expect(await members('cali60n:ports')).to.deep.equal(['fd00::1,tcp:80']);
    expect((await save(NAME))?.options.maxelem).to.equal('1048576');
  });

  it('writes members that change, and nothing else', async () => {
    const { sets, steps } = open();
    sets.update(whole(SET, '10.0.0.1', '10.0.0.2'));
    await sets.applyUpdates(true);
    steps.length = 0;
    sets.update(delta(['10.0.0.3'], ['10.0.0.1']));
    await sets.applyUpdates(false);
    expect(steps).to.deep.equal([
      { op: 'add', name: NAME, member: '10.0.0.3' },
      { op: 'delete', name: NAME, member: '10.0.0.1' },
    ]);
    expect(await sets.applyUpdates(true)).to.equal(0);
  });

  it('finds a predecessor’s sets as they are, however the kernel spells their members', async () => {
    const hosts = [
      '::ffff:192.0.2.1',
      '64:ff9b::192.0.2.1',
      '::192.0.2.1',
      '2001:db8::',
      '2001:db8:0:1:1:1:1:1',
    ];
    const ours = hosts.map((text) => Address.parse(text)?.toString() ?? '');
    const { sets } = open();
    sets.update(whole(SET, ...ours, 'fe80::/64', '10.0.0.0/8'));
    await sets.applyUpdates(true);
    const { sets: successor } = open();
    successor.update(whole(SET, ...ours, 'fe80::/64', '10.0.0.0/8'));
    expect(await successor.applyUpdates(true)).to.equal(0);
  });

  it('grows a set under the rules that look into it', async () => {
    const netns = namespace.path();
    const { sets } = open(4);
    sets.update(whole(SET, '10.0.0.1'));
    await sets.applyUpdates(true);
    await iptables.restore(4, `*filter\n-A FORWARD -m set --match-set ${NAME} src -j DROP\nCOMMIT\n`, {
      netns,
    });
    const many = Array.from({ length: 9 }, (_, index) => `10.1.0.${index}`);
    sets.update(delta(many, []));
    await sets.applyUpdates(false);
    expect(await members(NAME)).to.have.length(10);
    expect((await save(NAME))?.options.maxelem).to.equal('16');
    expect((await ipset.listNames({ netns })).filter((name) => name.includes('t'))).to.deep.equal([]);
    expect(await sets.applyUpdates(true)).to.equal(0);
  });

  it('puts right what others did: members, type, leftovers of a crash', async () => {
    const netns = namespace.path();
    await ipset.restore(`create ${NAME} hash:ip\nadd ${NAME} 192.0.2.1\ncreate cali4t0 hash:ip\n`, { netns });
    const { sets } = open();
    sets.update(whole(SET, '10.1.0.0/24'));
    await sets.applyUpdates(true);
    expect((await save(NAME))?.type).to.equal('hash:net');
    expect(await members(NAME)).to.deep.equal(['10.1.0.0/24']);
    expect(await sets.applyRemovals()).to.deep.equal({ stuck: [], left: 0 });
    expect((await ipset.listNames({ netns })).toSorted()).to.deep.equal([NAME, NAME.replace('40', '60')]);
  });

  it('takes all other sets when the kernel refuses one, and that one when it can be taken', async () => {
    const { sets } = open();
    sets.update(whole(SET, '10.0.0.1', 'not an address', '10.0.0.2'));
    sets.update(whole(PORTS, '10.0.0.1,tcp:80'));
    await sets.applyUpdates(true);
    expect([...sets.refused.keys()])
      .to.include(NAME)
      .and.to.not.include('cali40n:ports');
    expect(await members('cali40n:ports')).to.deep.equal(['10.0.0.1,tcp:80']);
    // The half of it goes, and once it is tried again without being asked.
    expect((await sets.applyRemovals()).left).to.be.greaterThan(0);
    expect(await members(NAME)).to.equal(undefined);
    await sets.applyUpdates(false);
    expect((await sets.applyRemovals()).left).to.equal(0);
    sets.update(delta([], ['not an address']));
    await sets.applyUpdates(false);
    expect([...sets.refused.keys()]).to.deep.equal([]);
    expect(await members(NAME)).to.deep.equal(['10.0.0.1', '10.0.0.2']);
    expect(await sets.applyUpdates(true)).to.equal(0);
  });

  it('holds on to a set that a stranger keeps it from making, and makes it when he lets go', async () => {
    const netns = namespace.path();
    await ipset.restore(`create ${NAME} hash:ip\n`, { netns });
    await iptables.restore(4, `*filter\n-A FORWARD -m set --match-set ${NAME} src -j DROP\nCOMMIT\n`, {
      netns,
    });
    const { sets } = open();
    sets.update(whole(SET, '10.1.0.0/24'));
    await sets.applyUpdates(true);
    expect([...sets.refused.keys()]).to.deep.equal([NAME]);
    await sets.applyRemovals();
    await iptables.restore(4, `*filter\n-F FORWARD\nCOMMIT\n`, { netns });
    await sets.applyUpdates(true);
    expect([...sets.refused.keys()]).to.deep.equal([]);
    expect(await members(NAME)).to.deep.equal(['10.1.0.0/24']);
    expect(await sets.applyRemovals()).to.deep.equal({ stuck: [], left: 0 });
    expect((await ipset.listNames({ netns })).filter((name) => name.includes('t'))).to.deep.equal([]);
  });

  it('removes many sets over several passes', async () => {
    const { sets } = open();
    const ids = Array.from({ length: 12 }, (_, index) => `s:${index}`);
    for (const id of ids)
      sets.update(new Map([[id, { type: 'whole', definition: { ...SET, id }, members: new Set() }]]));
    await sets.applyUpdates(true);
    sets.update(new Map(ids.map((id) => [id, { type: 'gone' }])));
    const left: number[] = [];
    do left.push((await sets.applyRemovals()).left);
    while (left.at(-1) !== 0);
    expect(left).to.deep.equal([14, 4, 0]);
    expect(await ipset.listNames({ netns: namespace.path() })).to.deep.equal([]);
  });
});
