import { expect } from 'chai';
import { readNetConf, type NetConf } from './netconf.ts';
import { parseConfiguration } from './stdin.ts';

const base = { cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'poplin' };

function read(extra: object, args: Record<string, string> = {}): NetConf {
  const conf = readNetConf({ ...base, ...extra }, args);
  if (!conf.ok) throw new Error(conf.error.msg);
  return conf.value;
}

function refused(extra: object, args: Record<string, string> = {}): { code: number; msg: string } {
  const conf = readNetConf({ ...base, ...extra }, args);
  if (conf.ok) throw new Error('was accepted');
  return conf.error;
}

describe('CNI network configuration', () => {
  it("takes Calico's keys, with its booleans in quotes, and keys of strangers", () => {
    const conf = read({
      datastore_type: 'kubernetes',
      log_level: 'info',
      nodename: 'worker-1',
      policy: { type: 'k8s' },
      mtu: 1440,
      ipam: { type: 'calico-ipam', assign_ipv4: 'true', assign_ipv6: 'false', ipv4_pools: ['10.244.0.0/16'] },
      container_settings: { allow_ip_forwarding: true },
    });
    expect(conf.mtu).to.equal(1440);
    expect(conf.ipam.assignIPv4).to.equal(true);
    expect(conf.ipam.assignIPv6).to.equal(false);
    expect(conf.ipam.ipv4Pools).to.deep.equal(['10.244.0.0/16']);
    expect(conf.allowIpForwarding).to.equal(true);
  });

  it('treats an MTU of 0 as none given', () => {
    expect(read({ mtu: 0 }).mtu).to.equal(undefined);
  });

  it('reads runtimeConfig whatever the case of its keys', () => {
    for (const runtimeConfig of [
      {
        portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }],
        dns: { servers: ['10.0.0.2'] },
      },
      {
        PortMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '127.0.0.1' }],
        dns: { Servers: ['10.0.0.2'] },
      },
    ]) {
      const conf = read({ runtimeConfig });
      expect(conf.portMappings).to.deep.equal([
        { hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '127.0.0.1' },
      ]);
      expect(conf.dns).to.deep.equal({ nameservers: ['10.0.0.2'] });
    }
  });

  it('leaves the keys of annotations alone', () => {
    const annotations = { 'example.com/Rack': 'A' };
    expect(() =>
      read({ runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations } }),
    ).not.to.throw();
  });

  it('lets runtimeConfig win over args.cni, and args.cni over CNI_ARGS', () => {
    const args = { IP: '10.0.0.3' };
    const cni = { args: { cni: { ips: ['10.0.0.2'] } } };
    expect(read({}, args).requestedIps.join()).to.equal('10.0.0.3');
    expect(read(cni, args).requestedIps.join()).to.equal('10.0.0.2');
    expect(
      read({ ...cni, runtimeConfig: { ips: ['10.0.0.1/24', 'fd00::1'] } }, args).requestedIps.join(),
    ).to.equal('10.0.0.1,fd00::1');
  });

  it('reads labels as the CNI conventions write them', () => {
    expect(read({ args: { cni: { labels: [{ key: 'role', value: 'web' }] } } }).labels).to.deep.equal({
      role: 'web',
    });
  });

  it('reads the attachments of GC from the new key, else the old; a missing key is not an empty list', () => {
    const attachments = [{ containerID: 'a', ifname: 'eth0' }];
    const want = [{ containerId: 'a', ifName: 'eth0' }];
    expect(read({ 'cni.dev/valid-attachments': attachments }).validAttachments).to.deep.equal(want);
    expect(read({ 'cni.dev/attachments': attachments }).validAttachments).to.deep.equal(want);
    expect(read({ 'cni.dev/valid-attachments': [] }).validAttachments).to.deep.equal([]);
    expect(read({}).validAttachments).to.equal(undefined);
  });

  const faults = [
    { it: 'no name', extra: { name: undefined }, code: 7, says: 'name' },
    { it: 'a name with a slash', extra: { name: 'a/b' }, code: 7, says: 'name' },
    { it: 'an MTU in quotes', extra: { mtu: '1500' }, code: 7, says: 'mtu' },
    {
      it: 'a wrong address',
      extra: { runtimeConfig: { ips: ['10.0.0.256'] } },
      code: 7,
      says: 'runtimeConfig.ips.0',
    },
    {
      it: 'two IPv4 addresses',
      extra: { runtimeConfig: { ips: ['10.0.0.1', '10.0.0.2'] } },
      code: 7,
      says: '10.0.0.1 and 10.0.0.2',
    },
    { it: 'a wrong MAC', extra: { runtimeConfig: { mac: 'ee:ee' } }, code: 7, says: 'runtimeConfig.mac' },
    {
      it: 'a wrong route',
      extra: { ipam: { routes: [{ dst: '10.0.0.1/8' }] } },
      code: 7,
      says: 'ipam.routes.0.dst',
    },
    {
      it: 'a prevResult that points nowhere',
      extra: { prevResult: { ips: [{ address: '10.0.0.1/32', interface: 3 }] } },
      code: 7,
      says: 'interface 3',
    },
  ];
  for (const fault of faults) {
    it(`refuses ${fault.it} by its path`, () => {
      const error = refused(fault.extra);
      expect(error.code).to.equal(fault.code);
      expect(error.msg).to.contain(fault.says);
    });
  }

  it('refuses a wrong IP in CNI_ARGS with code 4', () => {
    const error = refused({}, { IP: 'nonsense' });
    expect(error.code).to.equal(4);
    expect(error.msg).to.contain('CNI_ARGS IP');
  });

  for (const { text, says } of [
    { text: '', says: 'standard input is empty' },
    { text: '{"name": ', says: 'not JSON' },
    { text: '[]', says: 'an array' },
    { text: 'null', says: 'null' },
    { text: '7', says: 'a number' },
  ]) {
    it(`answers code 6 to ${JSON.stringify(text)}`, () => {
      const parsed = parseConfiguration(text);
      if (parsed.ok) throw new Error('was accepted');
      expect(parsed.error.code).to.equal(6);
      expect(parsed.error.msg).to.contain(says);
    });
  }
});
