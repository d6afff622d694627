import { expect } from 'chai';
import * as fc from 'fast-check';
import * as tool from '../../ipset.ts';
import type { IpsetStep } from '../../ipset-text.ts';
import { describeOnKernel, freshNamespace } from '../../testing.ts';
import { HEADER, MessageWriter } from '../message.ts';
import { IpsetError } from './errors.ts';
import { IpsetNetlink } from './ipset-netlink.ts';
import { dimensionsOf, readMember, writeMember } from './members.ts';

function both(type: string, member: string): string | undefined {
  const dimensions = dimensionsOf(type) ?? [];
  const w = new MessageWriter();
  w.begin(0, 0);
  writeMember(w, dimensions, member);
  w.end();
  const bytes = w.finish(1, false);
  return readMember(bytes, HEADER, bytes.length, dimensions);
}

describe('members of sets as attributes', () => {
  const cases = [
    { type: 'hash:ip', member: '192.0.2.1' },
    { type: 'hash:net', member: '10.0.0.0/8' },
    { type: 'hash:net', member: '2001:db8::/32' },
    { type: 'hash:net', member: '::ffff:192.0.2.1' },
    { type: 'hash:ip,port', member: '192.0.2.1,tcp:80' },
    { type: 'hash:ip,port', member: 'fd00::1,sctp:65535' },
    { type: 'hash:ip,port', member: '192.0.2.1,47:0' },
    { type: 'hash:net,net', member: '10.0.0.0/8,192.0.2.0/24' },
    { type: 'bitmap:port', member: '8080' },
  ];
  for (const { type, member } of cases)
    it(`${type} ${member}`, () => expect(both(type, member)).to.equal(member));

  for (const { type, member } of [
    { type: 'hash:ip', member: 'x' },
    { type: 'hash:net', member: '10.0.0.0/33' },
    { type: 'hash:ip,port', member: '10.0.0.1' },
    { type: 'hash:ip,port', member: '10.0.0.1,tcp:65536' },
    { type: 'hash:ip,port', member: '10.0.0.1,nonsense:1' },
    { type: 'bitmap:port', member: '' },
  ])
    it(`refuses ${JSON.stringify(member)} in a ${type}`, () =>
      expect(() => both(type, member)).to.throw(RangeError));

  it('reads what it writes', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.nat(0xffff)).map(([ip, port]) => `${ip},udp:${port}`);
    fc.assert(fc.property(v4, (member) => both('hash:ip,port', member) === member));
  });

  it('knows no dimensions of other types', () => expect(dimensionsOf('hash:net,iface')).to.equal(undefined));
});

/** What both ways of listing tell, in one order. */
const shown = (sets: readonly tool.SavedSet[]) =>
  sets
    .map(({ name, type, options: { family, maxelem }, members }) => ({
      name,
      type,
      family,
      maxelem,
      members,
    }))
    .toSorted((a, b) => a.name.localeCompare(b.name));

describeOnKernel('ipset over netlink', () => {
  const netns = freshNamespace();
  let kernel: IpsetNetlink;
  beforeEach(() => (kernel = IpsetNetlink.open({ netns: netns.path() })));
  afterEach(() => kernel.close());

  const refusal = async (steps: readonly IpsetStep[], exist = true): Promise<IpsetError> => {
    try {
      await kernel.apply(steps, { exist });
    } catch (error) {
      if (error instanceof IpsetError) return error;
      throw error;
    }
    throw new Error('it should have been refused');
  };

  it('makes sets that the tool shows, and shows sets that the tool made', async () => {
    const steps: IpsetStep[] = [
      { op: 'create', name: 'v4', type: 'hash:net', family: 'inet', maxElements: 1 << 20 },
      { op: 'create', name: 'v6', type: 'hash:ip,port', family: 'inet6' },
      { op: 'create', name: 'new4', type: 'hash:net', family: 'inet', maxElements: 1 << 20 },
      { op: 'add', name: 'v4', member: '10.0.0.0/8' },
      { op: 'add', name: 'v6', member: 'fd00::1,tcp:80' },
      { op: 'add', name: 'new4', member: '192.0.2.1' },
      { op: 'swap', name: 'new4', with: 'v4' },
      { op: 'delete', name: 'new4', member: '10.0.0.0/8' },
      { op: 'rename', name: 'new4', to: 'old4' },
    ];
    await kernel.apply(steps);
    const byTool = shown(await tool.save(undefined, { netns: netns.path() }));
    expect(shown(await kernel.save())).to.deep.equal(byTool);
    expect(byTool.map(({ name, members }) => [name, ...members])).to.deep.equal([
      ['old4'],
      ['v4', '192.0.2.1'],
      ['v6', 'fd00::1,tcp:80'],
    ]);
    expect((await kernel.save('v4'))[0]?.members).to.deep.equal(['192.0.2.1']);
    expect(await kernel.save('absent')).to.deep.equal([]);
    expect((await kernel.headers()).every(({ members }) => members.length === 0)).to.equal(true);
    await kernel.apply([
      { op: 'flush', name: 'v4' },
      { op: 'destroy', name: 'v6' },
    ]);
    expect((await kernel.save()).map(({ name, members }) => [name, ...members])).to.have.deep.members([
      ['old4'],
      ['v4'],
    ]);
  });

  it('can be told the same thing twice, unless that is to be an error', async () => {
    const steps: IpsetStep[] = [
      { op: 'create', name: 's', type: 'hash:ip' },
      { op: 'add', name: 's', member: '192.0.2.1' },
      { op: 'delete', name: 's', member: '192.0.2.2' },
    ];
    await kernel.apply(steps);
    await kernel.apply(steps);
    const again = await refusal(steps.slice(1), false);
    expect([again.code, again.index]).to.deep.equal(['EXIST', 0]);
  });

  it('says which step was refused and why, and begins none that exchanges behind it', async () => {
    const full = await refusal([
      { op: 'create', name: 'small', type: 'hash:ip', maxElements: 1 },
      ...Array.from(
        { length: 200 },
        (_, i) => ({ op: 'add', name: 'small', member: `10.0.0.${i}` }) as const,
      ),
      { op: 'rename', name: 'small', to: 'other' },
    ]);
    expect(full.code).to.equal('HASH_FULL');
    expect(full.index).to.be.greaterThan(1).and.lessThan(201);
    expect(full.message)
      .to.include(`add small 10.0.0.${full.index - 1}`)
      .and.include('full');
    expect((await kernel.headers()).map(({ name }) => name)).to.deep.equal(['small']);
    expect((await refusal([{ op: 'add', name: 'absent', member: '10.0.0.1' }])).code).to.equal('ENOENT');
    await kernel.apply([{ op: 'create', name: 'nets', type: 'hash:net' }]);
    const bad = await refusal([
      { op: 'add', name: 'nets', member: '10.0.0.0/8' },
      { op: 'add', name: 'nets', member: '0.0.0.0/0' },
    ]);
    expect([bad.code, bad.index]).to.deep.equal(['INVALID_CIDR', 1]);
    const mismatch = await refusal([{ op: 'create', name: 'nets', type: 'hash:ip' }]);
    expect(mismatch.code).to.equal('EEXIST');
  });

  it('refuses to destroy what a rule looks into', async () => {
    await kernel.apply([{ op: 'create', name: 'used', type: 'hash:ip' }]);
    const { restore } = await import('../../iptables.ts');
    const rule = '*filter\n-A FORWARD -m set --match-set used src -j DROP\nCOMMIT\n';
    await restore(4, rule, { netns: netns.path(), backend: 'legacy' });
    const refused = await refusal([{ op: 'destroy', name: 'used' }]);
    expect(refused.code).to.equal('BUSY');
    expect(refused.problems[0]?.remedy).to.include('rules');
  });

  it('holds a hundred thousand members', async () => {
    const members = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    await kernel.apply([
      { op: 'create', name: 'big', type: 'hash:net', maxElements: 200_000 },
      ...members.map((member) => ({ op: 'add', name: 'big', member }) as const),
    ]);
    const [big] = await kernel.save('big');
    expect(big?.members.length).to.equal(members.length);
    expect(new Set(big?.members)).to.deep.equal(new Set(members));
  });
});
