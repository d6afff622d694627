import { expect } from 'chai';
import { appendResult, decodeResult, encodeResult, type CniResult } from './result.ts';
import { SUPPORTED_VERSIONS } from './version.ts';

const result: CniResult = {
  interfaces: [
    { name: 'cali0d7763386da', mac: 'ee:ee:ee:ee:ee:ee', mtu: 1500 },
    { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, sandbox: '/run/netns/x' },
  ],
  ips: [
    { address: '10.244.0.1/32', interface: 1 },
    { address: 'fd00::1/128', interface: 1 },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1', mtu: 1500 }],
  dns: {},
};

describe('CNI result', () => {
  it('has version in ips below 1.0.0, and mtu only in 1.1.0', () => {
    for (const version of SUPPORTED_VERSIONS) {
      const text = JSON.stringify(encodeResult(result, version));
      const early = version < '1.0.0';
      expect(text.includes('"version":"4"') && text.includes('"version":"6"'), version).to.equal(early);
      expect(text.includes('"mtu"'), version).to.equal(version === '1.1.0');
      expect(JSON.parse(text)).to.have.property('cniVersion', version);
    }
  });

  it('survives its way out and in again in every version', () => {
    for (const version of SUPPORTED_VERSIONS) {
      const once = encodeResult(result, version);
      const back = decodeResult(JSON.parse(JSON.stringify(once)));
      if (!back.ok) throw new Error(back.error.msg);
      expect(encodeResult(back.value, version)).to.deep.equal(once);
    }
  });

  it('keeps what earlier plugins made and points our addresses at our interfaces', () => {
    const previous: CniResult = {
      interfaces: [{ name: 'lo', sandbox: '/run/netns/x' }],
      ips: [{ address: '127.0.0.1/8', interface: 0 }],
      routes: [],
      dns: { nameservers: ['10.0.0.2'] },
    };
    const merged = appendResult(previous, result);
    expect(merged.interfaces.map((one) => one.name)).to.deep.equal(['lo', 'cali0d7763386da', 'eth0']);
    expect(merged.ips.map((ip) => ip.interface)).to.deep.equal([0, 2, 2]);
    expect(merged.dns).to.deep.equal({ nameservers: ['10.0.0.2'] });
  });

  it('reads null where a Go program wrote an empty list, and keeps keys it does not know', () => {
    const back = decodeResult({
      cniVersion: '1.0.0',
      interfaces: null,
      ips: [{ address: '10.0.0.1/32', custom: 1 }],
      routes: null,
      dns: null,
    });
    if (!back.ok) throw new Error(back.error.msg);
    expect(back.value).to.deep.equal({
      interfaces: [],
      ips: [{ address: '10.0.0.1/32', custom: 1 }],
      routes: [],
      dns: {},
    });
  });

  it('refuses what is no result, by field', () => {
    const back = decodeResult({ interfaces: [{ mac: 1 }] });
    if (back.ok) throw new Error('was accepted');
    expect(back.error.msg).to.contain('prevResult.interfaces.0');
  });
});
