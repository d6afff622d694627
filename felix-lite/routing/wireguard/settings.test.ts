import { expect } from 'chai';
import { wireguardSettings } from './settings.ts';

const tables = (spec: object): string => {
  const { 4: four, 6: six } = wireguardSettings(spec).tables;
  return `${four} ${six}`;
};

describe('what FelixConfiguration says of WireGuard', () => {
  it('has tables of its own out of the ranges that are left to us, and never those of the kernel', () => {
    expect(tables({})).to.equal('1 2');
    expect(tables({ routeTableRange: { min: 20, max: 30 } })).to.equal('20 21');
    expect(tables({ routeTableRanges: [{ min: 252, max: 260 }] })).to.equal('252 256');
    expect(
      tables({
        routeTableRanges: [
          { min: 40, max: 40 },
          { min: 1000, max: 2000 },
        ],
      }),
    ).to.equal('40 1000');
  });

  it('has Calico’s defaults, and takes what is given: ports, devices, priority, mark', () => {
    expect(wireguardSettings({})).to.deep.include({
      enabled: { 4: false, 6: false },
      devices: { 4: 'wireguard.cali', 6: 'wg-v6.cali' },
      ports: { 4: 51_820, 6: 51_821 },
      priority: 99,
      mark: 0x20_0000,
    });
    expect(
      wireguardSettings({
        wireguardEnabledV6: true,
        wireguardInterfaceNameV6: 'wg7',
        wireguardListeningPortV6: 7,
        wireguardRoutingRulePriority: 50,
        wireguardMTU: 0,
        wireguardMTUV6: 1300,
      }),
    ).to.deep.include({
      enabled: { 4: false, 6: true },
      devices: { 4: 'wireguard.cali', 6: 'wg7' },
      ports: { 4: 51_820, 6: 7 },
      priority: 50,
      mtu: { 4: undefined, 6: 1300 },
    });
  });
});
