import { expect } from 'chai';
import { existsSync, readdirSync } from 'node:fs';
import {
  createNamespace,
  deleteNamespace,
  inNamespace,
  listNamespaces,
  namespaceIdentity,
  namespacePath,
} from './netns.ts';
import { run } from './process.ts';
import { readSysctl, sysctlPath, writeSysctl } from './sysctl.ts';
import { describeOnKernel, freshNamespace } from './testing.ts';

describe('namespacePath', () => {
  for (const name of ['', '.', '..', 'a/b', '../x', 'n\0', 'x'.repeat(256)])
    it(`refuses ${JSON.stringify(name.slice(0, 10))}`, () =>
      expect(() => namespacePath(name)).to.throw(/cannot name/));
});

describe('sysctlPath', () => {
  const cases = [
    { name: 'net.ipv4.ip_forward', path: '/proc/sys/net/ipv4/ip_forward' },
    { name: 'net/ipv4/conf/eth0.100/rp_filter', path: '/proc/sys/net/ipv4/conf/eth0.100/rp_filter' },
    { name: 'net.ipv4.conf.eth0/100.rp_filter', path: '/proc/sys/net/ipv4/conf/eth0.100/rp_filter' },
  ];
  for (const { name, path } of cases) it(name, () => expect(sysctlPath(name)).to.equal(path));
  for (const name of ['', '../../etc/passwd', 'net//x', '/proc/sys/x'])
    it(`refuses ${JSON.stringify(name)}`, () => expect(() => sysctlPath(name)).to.throw(RangeError));
});

describeOnKernel('network namespaces', () => {
  const netns = freshNamespace();

  it('are the namespaces that ip netns knows', async () => {
    const { stdout } = await run('ip', ['netns', 'list']);
    expect(stdout).to.contain(netns.name());
    expect(listNamespaces()).to.include(netns.name());
    expect(namespaceIdentity(netns.path())).to.not.equal(namespaceIdentity());
  });

  it('made by ip netns are removed here, and the other way round', async () => {
    const theirs = `${netns.name()}-ip`;
    await run('ip', ['netns', 'add', theirs]);
    expect(deleteNamespace(theirs)).to.equal(true);
    expect(deleteNamespace(theirs)).to.equal(false);
    const ours = `${netns.name()}-ours`;
    createNamespace(ours);
    await run('ip', ['netns', 'delete', ours]);
    expect(existsSync(namespacePath(ours))).to.equal(false);
  });

  it('keep their names to themselves', () => {
    expect(() => createNamespace(netns.name())).to.throw(/exists already/);
  });

  it('are entered and left, also when the function throws', () => {
    const home = namespaceIdentity();
    expect(inNamespace(netns.path(), () => namespaceIdentity())).to.equal(namespaceIdentity(netns.path()));
    expect(namespaceIdentity()).to.equal(home);
    expect(() =>
      inNamespace(netns.path(), () => {
        throw new Error('inside');
      }),
    ).to.throw('inside');
    expect(namespaceIdentity()).to.equal(home);
  });

  it('take no asynchronous function', () => {
    expect(() => inNamespace(netns.path(), () => Promise.resolve())).to.throw(TypeError);
  });

  it('leak no file descriptor', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 1000; i++) inNamespace(netns.path(), () => i);
    expect(() => inNamespace('/run/netns/poplin-absent', () => 1)).to.throw(/ENOENT/);
    expect(() => inNamespace('/proc/self/ns/mnt', () => 1)).to.throw(/setns: EINVAL/);
    expect(readdirSync('/proc/self/fd').length).to.equal(before);
  });

  it('have parameters of their own', async () => {
    const mine = readSysctl('net.ipv4.ip_forward');
    writeSysctl('net.ipv4.ip_forward', 1, netns.path());
    writeSysctl('net.ipv6.conf.all.forwarding', 1, netns.path());
    expect(readSysctl('net.ipv4.ip_forward', netns.path())).to.equal('1');
    const { stdout } = await run('sysctl', ['-n', 'net.ipv6.conf.all.forwarding'], { netns: netns.path() });
    expect(stdout).to.equal('1\n');
    expect(readSysctl('net.ipv4.ip_forward')).to.equal(mine);
    expect(readSysctl('net.ipv4.conf.absent.forwarding', netns.path())).to.equal(undefined);
    expect(() => writeSysctl('net.ipv4.conf.absent.forwarding', 1, netns.path())).to.throw(/ENOENT/);
    expect(() => writeSysctl('net.ipv4.ip_forward', 'maybe', netns.path())).to.throw(/EINVAL/);
  });
});
