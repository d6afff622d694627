import { expect } from 'chai';
import { Address } from '../../net/addr/index.ts';
import type { KernelEvent, LinkAddress } from '../../net/kernel/index.ts';
import { KernelAddresses } from './kernel-addresses.ts';

const at = (text: string): Address => Address.parse(text) as Address;

function on(link: number, text: string, extra: Partial<LinkAddress> = {}): LinkAddress {
  const address = at(text);
  const prefixLength = address.version === 4 ? 24 : 64;
  return { link, address, prefixLength, scope: 0, permanent: true, tentative: false, ...extra };
}

function beside(addresses: KernelAddresses, local: string): string[] {
  return addresses.beside(at(local)).map(String);
}

describe('addresses of the kernel', () => {
  let listed: LinkAddress[];
  let tell: (event: KernelEvent) => void;

  const open = (): Promise<KernelAddresses> =>
    KernelAddresses.open(
      {
        listAddresses: () => Promise.resolve(listed),
        subscribe: (_groups, listener) => {
          tell = listener;
          return () => undefined;
        },
      },
      (error) => expect.fail(String(error)),
    );

  beforeEach(() => {
    listed = [
      on(2, '10.1.0.1'),
      on(2, 'fe80::1', { scope: 253 }),
      on(2, 'fd00:1::99', { permanent: false }),
      on(2, 'fd00:1::1'),
      on(3, '10.2.0.1'),
      on(3, 'fd00:2::1'),
      on(3, 'fd00:2::2', { tentative: true }),
    ];
  });

  it('are those of the same link, given ones first, without what reaches no further and what cannot be used', async () => {
    const addresses = await open();
    expect(beside(addresses, '10.1.0.1')).to.deep.equal(['10.1.0.1', 'fd00:1::1', 'fd00:1::99']);
    expect(beside(addresses, 'fd00:2::1')).to.deep.equal(['10.2.0.1', 'fd00:2::1']);
    expect(beside(addresses, 'fe80::1')).to.include('fd00:1::1');
    expect(beside(addresses, '192.0.2.1')).to.deep.equal([]);
  });

  it('follow what changes, and tell it only where an answer is another', async () => {
    const addresses = await open();
    let told = 0;
    addresses.watch(() => told++);
    tell({ type: 'address', change: 'new', address: on(9, 'fe80::9', { scope: 253 }) });
    tell({ type: 'address', change: 'new', address: on(2, '10.1.0.1') });
    expect(told).to.equal(0);
    // Duplicate address detection is over.
    tell({ type: 'address', change: 'new', address: on(3, 'fd00:2::2') });
    tell({ type: 'address', change: 'deleted', address: on(3, 'fd00:2::1') });
    expect(told).to.equal(2);
    expect(beside(addresses, '10.2.0.1')).to.deep.equal(['10.2.0.1', 'fd00:2::2']);
    listed = [on(3, '10.2.0.1'), on(3, 'fd00:2::7')];
    tell({ type: 'resync' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).to.equal(3);
    expect(beside(addresses, '10.2.0.1')).to.deep.equal(['10.2.0.1', 'fd00:2::7']);
  });
});
