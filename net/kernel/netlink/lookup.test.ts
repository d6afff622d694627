import { expect } from 'chai';
import { Address } from '../../addr/index.ts';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { Netlink } from './netlink.ts';
import { formatRoute } from './route.ts';

describeOnKernel('the way to an address', () => {
  const here = freshNamespace();

  it('is the entry of the table that packets would take, and what they are sent from', async () => {
    using kernel = Netlink.open({ netns: here.path() });
    await kernel.createVeth({ name: 'eth0', up: true, peer: { name: 'eth1' } });
    await kernel.setLink('eth1', { up: true });
    await here.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
    await here.ip('address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
    await here.ip('route', 'add', '10.1.0.0/16', 'via', '192.0.2.2', 'proto', '80');
    await here.ip(
      'route',
      'add',
      '10.1.2.0/24',
      'nexthop',
      'via',
      '192.0.2.3',
      'nexthop',
      'via',
      '192.0.2.4',
    );
    await here.ip('route', 'add', 'blackhole', '10.2.0.0/16');
    await here.ip('route', 'add', 'fd00::/64', 'via', '2001:db8::2', 'proto', '80');
    const way = async (text: string): Promise<string> => {
      const found = await kernel.routeTo(Address.parse(text) ?? expect.fail(text));
      return found === undefined
        ? 'none'
        : `${formatRoute(found.route)} from ${found.source?.toString() ?? '?'}`;
    };
    expect(await way('10.1.9.9')).to.equal('10.1.0.0/16 via 192.0.2.2 dev eth0 proto 80 from 192.0.2.1');
    expect(await way('10.1.2.9')).to.match(
      /^10\.1\.2\.0\/24 nexthop via 192\.0\.2\.3 dev eth0 nexthop via 192\.0\.2\.4/,
    );
    expect(await way('fd00::9')).to.match(
      /^fd00::\/64 via 2001:db8::2 dev eth0 proto 80.* from 2001:db8::1$/,
    );
    expect(await way('10.2.1.1')).to.equal('none');
    expect(await way('203.0.113.1')).to.equal('none');
  });
});
