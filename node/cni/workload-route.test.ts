/** The agent writes the route to a workload, and felix-lite keeps it: they must mean the same one. */
import { expect } from 'chai';
import fc from 'fast-check';
import { deviceRoutes } from '../../api/index.ts';
import { workloadRoute as kept } from '../../felix-lite/routing/workload-routes.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { workloadRoute as written } from './wiring.ts';

const metric = fc.option(fc.integer({ min: 1, max: 0x7fff_ffff }), { nil: undefined });
const spec = fc.record(
  {
    deviceRouteProtocol: fc.integer({ min: 0, max: 255 }),
    deviceRouteSourceAddress: fc.constantFrom('192.0.2.1', '198.51.100.1'),
    deviceRouteSourceAddressIPv6: fc.constantFrom('2001:db8::1', 'fd00::1'),
    ipv4NormalRoutePriority: metric.map((value) => value ?? 1024),
    ipv6NormalRoutePriority: metric.map((value) => value ?? 1024),
  },
  { requiredKeys: [] },
);

describe('the route to a workload', () => {
  it('is the same to who writes it and to who keeps it, whatever FelixConfiguration says', () => {
    fc.assert(
      fc.property(spec, fc.constantFrom('10.244.1.2', 'fd00:10:244::2'), (wished, text) => {
        const address = Address.parse(text) ?? expect.fail(text);
        const style = deviceRoutes(wished);
        expect(written(address, 'cali1', style)).to.deep.equal(
          kept({ prefix: Prefix.host(address), device: 'cali1' }, style),
        );
      }),
    );
  });
});
