import { expect } from 'chai';
import fc from 'fast-check';
import { interfaceNameFault, readInvocation } from './environment.ts';

const add = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: '4f1c', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };

describe('CNI environment', () => {
  it('reads a complete ADD', () => {
    const read = readInvocation({
      ...add,
      CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web-0',
      CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
    });
    expect(read).to.deep.equal({
      ok: true,
      value: {
        command: 'ADD',
        containerId: '4f1c',
        netns: '/run/netns/x',
        ifName: 'eth0',
        args: { IgnoreUnknown: '1', K8S_POD_NAME: 'web-0' },
        path: ['/opt/cni/bin', '/usr/lib/cni'],
      },
    });
  });

  const faults = [
    { it: 'no command', env: {}, says: 'CNI_COMMAND is not set' },
    { it: 'an unknown command', env: { ...add, CNI_COMMAND: 'add' }, says: 'CNI_COMMAND is "add"' },
    { it: 'ADD without a namespace', env: { ...add, CNI_NETNS: '' }, says: 'CNI_NETNS must be set for ADD' },
    {
      it: 'ADD with nothing',
      env: { CNI_COMMAND: 'ADD' },
      says: 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME must be set',
    },
    {
      it: 'CHECK without an interface',
      env: { ...add, CNI_COMMAND: 'CHECK', CNI_IFNAME: undefined },
      says: 'CNI_IFNAME',
    },
    {
      it: 'DEL without a container',
      env: { CNI_COMMAND: 'DEL', CNI_IFNAME: 'eth0' },
      says: 'CNI_CONTAINERID must be set',
    },
    {
      it: 'a container id with a slash',
      env: { ...add, CNI_CONTAINERID: '../etc' },
      says: 'CNI_CONTAINERID is "../etc"',
    },
    {
      it: 'an interface name of 16 bytes',
      env: { ...add, CNI_IFNAME: 'abcdefghijklmnop' },
      says: 'longer than 15 bytes',
    },
    {
      it: 'an interface name of 15 characters and 16 bytes',
      env: { ...add, CNI_IFNAME: 'abcdefghijklmnö' },
      says: 'longer than 15 bytes',
    },
    { it: 'an interface name with a colon', env: { ...add, CNI_IFNAME: 'eth0:1' }, says: 'colon' },
    { it: 'the interface name ..', env: { ...add, CNI_IFNAME: '..' }, says: 'is not a name' },
    { it: 'CNI_ARGS without an equals sign', env: { ...add, CNI_ARGS: 'A=1;B' }, says: 'CNI_ARGS has "B"' },
  ];
  for (const fault of faults) {
    it(`answers code 4 and the variable for ${fault.it}`, () => {
      const read = readInvocation(fault.env);
      if (read.ok) throw new Error('was accepted');
      expect(read.error.code).to.equal(4);
      expect(read.error.msg).to.contain(fault.says);
    });
  }

  it('lets DEL come without a namespace, and GC, STATUS and VERSION with nothing', () => {
    expect(readInvocation({ ...add, CNI_COMMAND: 'DEL', CNI_NETNS: undefined }).ok).to.equal(true);
    for (const command of ['GC', 'STATUS', 'VERSION'])
      expect(readInvocation({ CNI_COMMAND: command }).ok, command).to.equal(true);
  });

  it('accepts what podman passes as VERSION', () => {
    const dummy = { CNI_COMMAND: 'VERSION', CNI_NETNS: 'dummy', CNI_IFNAME: 'dummy', CNI_PATH: 'dummy' };
    expect(readInvocation(dummy).ok).to.equal(true);
  });

  it('never lets through an interface name the kernel refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (name) => {
        const accepted = interfaceNameFault(name) === undefined;
        const bytes = Buffer.byteLength(name);
        // dev_valid_name() in net/core/dev.c
        const valid = bytes >= 1 && bytes <= 15 && name !== '.' && name !== '..' && !/[/:\s]/.test(name);
        return accepted === valid;
      }),
    );
  });
});
