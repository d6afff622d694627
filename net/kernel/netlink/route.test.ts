import { expect } from 'chai';
import { Address, Prefix } from '../../addr/index.ts';
import { makeRoute, type Route, routeKey, sameRoute } from './route.ts';

const address = (text: string) => Address.parse(text) ?? expect.fail(`not an address: ${text}`);
const prefix = (text: string) => Prefix.parse(text) ?? expect.fail(`not a prefix: ${text}`);

describe('sameRoute', () => {
  const base = makeRoute({
    destination: prefix('fd01::/64'),
    protocol: 80,
    nextHops: [{ gateway: address('fd00::1') }, { gateway: address('fd00::2') }],
  });
  const actual: Route = {
    ...base,
    metric: 1024,
    nextHops: [
      { gateway: address('fd00::2'), interface: 'eth0' },
      { gateway: address('fd00::1'), interface: 'eth0' },
    ],
  };

  it('takes the kernel for what it makes of the wish: default metric, chosen interface, its own order', () => {
    expect(sameRoute(base, actual)).to.equal(true);
    expect(routeKey(base)).to.equal(routeKey(actual));
  });

  const others: { it: string; route: Route }[] = [
    { it: 'protocol', route: { ...actual, protocol: 81 } },
    { it: 'metric', route: { ...actual, metric: 5 } },
    { it: 'type', route: { ...actual, type: 'blackhole' } },
    { it: 'table', route: { ...actual, table: 7 } },
    { it: 'mtu', route: { ...actual, mtu: 1280 } },
    { it: 'source', route: { ...actual, source: address('fd00::9') } },
    { it: 'number of next hops', route: { ...actual, nextHops: actual.nextHops.slice(1) } },
    {
      it: 'gateway',
      route: { ...actual, nextHops: [...actual.nextHops.slice(1), { gateway: address('fd00::3') }] },
    },
  ];
  for (const { it: title, route } of others)
    it(`sees another ${title}`, () => expect(sameRoute(base, route)).to.equal(false));

  it('does not count one next hop twice', () => {
    const twice = { ...base, nextHops: [{ gateway: address('fd00::1') }, { gateway: address('fd00::1') }] };
    expect(sameRoute(twice, actual)).to.equal(false);
  });
});
