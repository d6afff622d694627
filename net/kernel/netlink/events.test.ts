/** Events of the real kernel, and the life of sockets and polls in this process. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Address, Prefix } from '../../addr/index.ts';
import { run } from '../process.ts';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { type KernelEvent, subscribe } from './events.ts';
import { Netlink } from './netlink.ts';
import { formatRoute, makeRoute } from './route.ts';

/** For what comes at once, unless the machine is busy. */
const PATIENCE_MS = 60_000;

function told(event: KernelEvent): string {
  switch (event.type) {
    case 'link':
      return `link ${event.change} ${event.link.name} ${event.link.up ? 'up' : 'down'}`;
    case 'route':
      return `route ${event.change} ${formatRoute(event.route)}`;
    case 'address':
      return `address ${event.change} ${event.address.address.toString()}/${event.address.prefixLength}`;
    case 'neighbour':
      return `neighbour ${event.change} ${event.neighbour.address.toString()} ${event.neighbour.state}`;
    case 'forwarding':
      return `forwarding ${event.change} ${event.entry.mac} ${event.entry.remote.toString()}`;
    case 'rule':
      return `rule ${event.change} ${event.rule.priority}`;
    case 'resync':
      return 'resync';
  }
}

describeOnKernel('Netlink: events', function () {
  this.timeout(2 * PATIENCE_MS);
  const here = freshNamespace();
  let kernel: Netlink;
  let events: string[];
  const listen = (event: KernelEvent) => {
    events.push(told(event));
  };
  beforeEach(() => {
    kernel = Netlink.open({ netns: here.path() });
    events = [];
  });
  afterEach(() => kernel.close());

  async function seen(...wanted: readonly string[]): Promise<void> {
    const missing = () => wanted.filter((event) => !events.includes(event));
    const deadline = performance.now() + PATIENCE_MS;
    while (missing().length > 0 && performance.now() < deadline) await sleep(5);
    expect(missing(), `seen: ${events.join('\n')}`).to.deep.equal([]);
  }

  it('tell what others do to links, addresses, neighbours and routes of both families', async () => {
    kernel.subscribe(['link', 'address', 'neighbour', 'route'], listen);
    await here.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'eth1');
    await here.ip('link', 'set', 'eth1', 'up');
    await here.ip('link', 'set', 'eth0', 'up');
    const index = (await kernel.getLink('eth0'))?.index;
    await here.ip('addr', 'add', '10.0.0.1/24', 'dev', 'eth0');
    await here.ip('addr', 'add', 'fd00::1/64', 'dev', 'eth0', 'nodad');
    await here.ip('neigh', 'add', 'fd00::2', 'lladdr', '02:00:00:00:00:02', 'dev', 'eth0');
    await here.ip('route', 'add', '10.1.0.0/16', 'via', '10.0.0.2', 'proto', '80');
    await here.ip('route', 'add', 'fd01::/64', 'via', 'fd00::2', 'proto', '80');
    await here.ip('route', 'del', '10.1.0.0/16');
    await here.ip('link', 'del', 'eth0');
    await seen(
      'link new eth0 down',
      'link new eth0 up',
      'address new 10.0.0.1/24',
      'address new fd00::1/64',
      'neighbour new fd00::2 permanent',
      `route new 10.1.0.0/16 via 10.0.0.2 dev ${index} proto 80`,
      `route new fd01::/64 via fd00::2 dev ${index} proto 80 metric 1024`,
      `route deleted 10.1.0.0/16 via 10.0.0.2 dev ${index} proto 80`,
      'link deleted eth0 down',
    );
  });

  it('come only from the groups asked for, and not after the end', async () => {
    const cancel = kernel.subscribe(['address'], listen);
    await here.ip('link', 'set', 'lo', 'up');
    await seen('address new 127.0.0.1/8');
    expect(events.filter((event) => !event.startsWith('address'))).to.deep.equal([]);
    cancel();
    cancel();
    const before = events.length;
    await here.ip('addr', 'add', '192.0.2.1/32', 'dev', 'lo');
    await sleep(50);
    expect(events.length).to.equal(before);
  });

  it('may be ended by the listener itself, in the middle of a burst', async () => {
    let count = 0;
    const cancel = kernel.subscribe(['route'], () => {
      count++;
      cancel();
    });
    await kernel.applyRoutes(blackholes(50));
    await sleep(50);
    expect(count).to.equal(1);
  });

  it('that were lost are told as resync, and later ones arrive again', async () => {
    await here.ip('link', 'set', 'lo', 'up');
    const { cancel } = subscribe(here.path(), ['route'], listen, 4096);
    try {
      // Synchronous on purpose: nothing is read meanwhile.
      const input = blackholes(500).map(
        ({ route }) => `route add blackhole ${route.destination.toString()}\n`,
      );
      execFileSync('nsenter', [`--net=${here.path()}`, 'ip', '-batch', '-'], { input: input.join('') });
      await seen('resync');
      await sleep(20);
      await here.ip('route', 'add', 'blackhole', '203.0.113.0/24', 'proto', '80');
      await seen('route new blackhole 203.0.113.0/24 proto 80');
    } finally {
      cancel();
    }
  });

  it('arrive complete from a burst of ten thousand', async () => {
    kernel.subscribe(['route'], listen);
    await kernel.applyRoutes(blackholes(10_000));
    const deadline = performance.now() + PATIENCE_MS;
    while (events.length < 10_000 && performance.now() < deadline) await sleep(10);
    expect(new Set(events).size).to.equal(10_000);
    expect(events).not.to.include('resync');
  });

  it('reach a listener that goes on asynchronously', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const goOn = async () => {
      await Promise.resolve();
      const [link] = await kernel.listLinks();
      resolve(link?.name ?? 'none');
    };
    kernel.subscribe(['address'], () => void goOn());
    await here.ip('link', 'set', 'lo', 'up');
    expect(await promise).to.equal('lo');
  });
});

function blackholes(count: number): { op: 'replace'; route: ReturnType<typeof makeRoute> }[] {
  return Array.from({ length: count }, (_, i) => ({
    op: 'replace',
    route: makeRoute({
      destination: Prefix.of(Address.v4(0x14000000 + i * 256), 24),
      protocol: 80,
      type: 'blackhole',
    }),
  }));
}

const openFiles = () => readdirSync('/proc/self/fd').length;

const program = (body: string) => `
  const { Netlink } = await import(${JSON.stringify(fileURLToPath(new URL('./netlink.ts', import.meta.url)))});
  const kernel = Netlink.open({ netns: process.argv[1] });
  const flood = () => kernel.setLink('lo', { up: true }).then(() => kernel.setLink('lo', { up: false }));
  ${body}`;
describeOnKernel('Netlink: the life of a socket', function () {
  this.timeout(2 * PATIENCE_MS);
  const here = freshNamespace();
  it('ends without leaving a file descriptor, a thousand times', async () => {
    const before = openFiles();
    for (let i = 0; i < 1000; i++) {
      const kernel = Netlink.open({ netns: here.path() });
      kernel.subscribe(['link', 'route'], () => undefined);
      if (i % 100 === 0) await kernel.listLinks();
      kernel.close();
      kernel.close();
    }
    await sleep(50);
    // Fewer is fine: an earlier test's socket may have been closing still.
    expect(openFiles()).to.be.at.most(before);
  });

  it('ends after the question under way and before the next', async () => {
    const kernel = Netlink.open({ netns: here.path() });
    const links = kernel.listLinks();
    await Promise.resolve();
    kernel.close();
    expect(await links).to.have.length(1);
    let refused = '';
    await kernel.listLinks().catch((error: unknown) => (refused = String(error)));
    expect(refused).to.contain('closed');
  });

  it('fails to open where there is no namespace, leaving nothing', () => {
    const before = openFiles();
    expect(() => Netlink.open({ netns: '/run/netns/poplin-absent' })).to.throw(/ENOENT/);
    expect(openFiles()).to.equal(before);
  });

  const endings = [
    { it: 'closed', body: 'kernel.subscribe(["link"], () => {}); await flood(); kernel.close();' },
    { it: 'never closed', body: 'kernel.subscribe(["link"], () => {}); await flood();' },
    {
      it: 'left by process.exit from a listener, with events outstanding',
      body: 'kernel.subscribe(["link"], () => process.exit(0)); for (;;) await flood();',
    },
    {
      it: 'left by process.exit before the loop turns',
      body: 'kernel.subscribe(["link"], () => {}); process.exit(0);',
    },
  ];
  for (const { it: title, body } of endings)
    it(`lets the process end when ${title}`, async () => {
      const { stderr } = await run(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program(body), here.path()],
        { deadlineMs: PATIENCE_MS },
      );
      expect(stderr).to.equal('');
    });
});
