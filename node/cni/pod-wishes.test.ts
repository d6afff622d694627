/** What annotations ask for, and what is refused of them. */
import { expect } from 'chai';
import { readNetConf, type NetConf } from '../../cni-plugin/netconf.ts';
import { type Annotations, withWishes, type Wishes } from './pod-wishes.ts';

function conf(extra: object = {}): NetConf {
  const read = readNetConf({ cniVersion: '1.1.0', name: 'net', ...extra }, {});
  if (!read.ok) throw new Error(read.error.msg);
  return read.value;
}

const note = (notes: Readonly<Record<string, string>>): Annotations =>
  Object.fromEntries(Object.entries(notes).map(([key, value]) => [`cni.projectcalico.org/${key}`, value]));

function wishes(
  pod: Record<string, string>,
  namespace: Record<string, string> = {},
  extra: object = {},
): Wishes {
  const read = withWishes(conf(extra), note(pod), note(namespace));
  if (!read.ok) throw new Error(read.error.msg);
  return read.value;
}

function refusal(pod: Record<string, string>, extra: object = {}): string {
  const read = withWishes(conf(extra), note(pod), {});
  if (read.ok) throw new Error('was taken');
  expect(read.error.code).to.equal(7);
  return read.error.msg;
}

describe('what a pod asks of its network', () => {
  it('is what the configuration says, when it asks for nothing', () => {
    const asked = conf();
    expect(withWishes(asked, {}, {})).to.deep.equal({ ok: true, value: { conf: asked, withoutIpam: [] } });
  });

  it('takes pools and families from the pod, else from its namespace', () => {
    const { ipam } = wishes(
      { ipv4pools: '["a"]' },
      { ipv4pools: '["b"]', ipv6pools: '["c"]', ipFamilies: '["IPv6"]' },
      { ipam: { ipv4_pools: ['d'], ipv6_pools: ['e'] } },
    ).conf;
    expect(ipam).to.include({ assignIPv4: false, assignIPv6: true });
    expect([ipam.ipv4Pools, ipam.ipv6Pools]).to.deep.equal([['a'], ['c']]);
  });

  it('takes particular addresses and nothing beside them, with a MAC address', () => {
    const { conf: asked } = wishes({ ipAddrs: '["10.0.0.7"]', hwAddr: '02:00:5E:10:00:01' });
    expect(asked.requestedIps.join()).to.equal('10.0.0.7');
    expect(asked.ipam).to.include({ assignIPv4: false, assignIPv6: false });
    expect(asked.requestedMac).to.equal('02:00:5e:10:00:01');
  });

  it('goes past IPAM only where the configuration allows it', () => {
    const extra = { feature_control: { ip_addrs_no_ipam: true } };
    const pod = { ipAddrsNoIpam: '["192.0.2.7","2001:db8::7"]' };
    expect(wishes(pod, {}, extra).withoutIpam.join()).to.equal('192.0.2.7,2001:db8::7');
    expect(refusal(pod)).to.contain('ip_addrs_no_ipam');
    expect(refusal({ ...pod, ipAddrs: '["10.0.0.7"]' }, extra)).to.contain('keep one');
    expect(refusal({ floatingIPs: '["192.0.2.1"]' })).to.contain('floating_ips');
  });

  it('refuses what does not read as what it should be, and says which', () => {
    for (const [name, value] of [
      ['ipv4pools', 'a'],
      ['ipv6pools', '{}'],
      ['ipFamilies', '["IPv5"]'],
      ['ipAddrs', '["10.0.0.7","10.0.0.8"]'],
      ['ipAddrs', '["10.0.0.0/24"]'],
      ['ipAddrs', '[]'],
      ['hwAddr', 'x'],
    ] as const)
      expect(refusal({ [name]: value }), value).to.contain(`cni.projectcalico.org/${name}`);
  });
});
