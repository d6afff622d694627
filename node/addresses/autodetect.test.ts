import { expect } from 'chai';
import { Address } from '../../net/addr/index.ts';
import { type Candidate, chooseAddress, parseMethod } from './autodetect.ts';
import { parseWishes, wishTexts } from './wishes.ts';

const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);

function on(name: string, text: string, extra: Partial<Candidate> = {}): Candidate {
  return {
    interface: name,
    up: true,
    address: at(text),
    prefixLength: 24,
    usable: true,
    ...extra,
  };
}

/** In the order in which they are looked at. */
const MACHINE: readonly Candidate[] = [
  on('lo', '127.0.0.1'),
  on('lo', '203.0.113.5'),
  on('podman1', '10.88.0.1'),
  on('docker0', '172.17.0.1'),
  on('eth9', '192.0.2.99', { up: false }),
  on('eth0', '169.254.7.7'),
  on('eth0', 'fe80::1'),
  on('eth0', '192.0.2.1'),
  on('eth1', '198.51.100.1'),
  on('eth1', '2001:db8::9', { usable: false }),
  on('eth1', '2001:db8::1'),
  on('vxlan.calico', '10.244.0.1'),
  on('calico0', '10.9.0.1'),
];

describe('finding the address of a node', () => {
  const cases: readonly {
    method: string;
    version?: 6;
    reaching?: string;
    internal?: string;
    want?: string;
  }[] = [
    { method: 'first-found', want: '192.0.2.1' },
    { method: 'first-found', version: 6, want: '2001:db8::1' },
    { method: 'interface=eth1', want: '198.51.100.1' },
    { method: 'interface=ens.*, eth1', want: '198.51.100.1' },
    { method: 'interface=eth1,eth0', want: '192.0.2.1' },
    { method: 'interface=lo', want: '203.0.113.5' },
    { method: 'cidr=203.0.113.0/24', want: '203.0.113.5' },
    { method: 'interface=docker', want: '172.17.0.1' },
    { method: 'interface=eth9' },
    { method: 'skip-interface=eth0,wlan', want: '198.51.100.1' },
    { method: 'cidr=203.0.113.128/25,198.51.100.0/24', want: '198.51.100.1' },
    { method: 'cidr=2001:db8::/32', version: 6, want: '2001:db8::1' },
    { method: 'can-reach=203.0.113.1', reaching: '198.51.100.1', want: '198.51.100.1' },
    { method: 'can-reach=203.0.113.1', reaching: '203.0.113.5', want: '203.0.113.5' },
    { method: 'can-reach=203.0.113.1' },
    { method: 'kubernetes-internal-ip', internal: '198.51.100.1', want: '198.51.100.1' },
    { method: 'kubernetes-internal-ip', internal: '203.0.113.5', want: '203.0.113.5' },
    { method: 'kubernetes-internal-ip', internal: '203.0.113.9' },
  ];
  for (const { method, version = 4, reaching, internal, want } of cases)
    it(`${method}, IPv${version}: ${want ?? 'none'}`, () => {
      const parsed = parseMethod(method, '--ip');
      if (!parsed.ok) expect.fail(JSON.stringify(parsed.problems));
      const found = chooseAddress(parsed.value, version, MACHINE, {
        reaching: reaching === undefined ? undefined : at(reaching),
        kubernetesInternal: internal === undefined ? undefined : at(internal),
      });
      expect(found?.address.toString()).to.equal(want);
    });

  for (const text of ['', 'firstfound', 'interface=', 'interface=[', 'cidr=10.0.0.0/33', 'can-reach='])
    it(`refuses the method ${JSON.stringify(text)}`, () => {
      const parsed = parseMethod(text, '--ip-autodetection-method');
      expect(parsed.ok ? [] : parsed.problems.map(({ code }) => code)).to.deep.equal([
        'AUTODETECTION_METHOD',
      ]);
    });

  it("takes Calico's variables, options first", () => {
    const texts = wishTexts({ ip: '192.0.2.7' }, { IP: 'autodetect', IP6: 'none', AS: '1.10' });
    const wishes = parseWishes(texts);
    if (!wishes.ok) expect.fail(JSON.stringify(wishes.problems));
    expect(wishes.value.ip).to.deep.equal({ 4: { given: '192.0.2.7' }, 6: 'none' });
    expect(wishes.value.asNumber).to.equal(65_546);
    for (const wrong of [
      { ip: '2001:db8::1' },
      { ip6: 'auto' },
      { asNumber: '0' },
      { asNumber: '4294967295' },
    ])
      expect(parseWishes(wrong).ok, JSON.stringify(wrong)).to.equal(false);
  });
});
