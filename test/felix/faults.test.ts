/**
 * Never open, never closed by accident: while felix-lite starts, is replaced and is refused by the kernel's tools, no
 * packet passes that every policy denies, and none is cut that every policy allows.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, type BackendName, configurationOf } from './backends.ts';
import { LONG_POLICY } from './long-policy.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, openProfile, dbFromWeb } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';
import type { Flow } from './wire.ts';

const WORLD = [openProfile('prod'), endpointOf(WEB), endpointOf(DB), dbFromWeb(8080)];

describeOnKernel('packets through what may happen to felix-lite', function () {
  this.timeout(240_000);
  let node: TestNode;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    // Packets are forwarded before felix-lite begins, too.
    await node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  });
  afterEach(() => node.remove());

  /** WEB reaches DB in every state, `outside` in none. */
  const flows = (): readonly Flow[] =>
    ([4, 6] as const).flatMap((version) => [
      node.network.flow('web', addressesOf(2)[version], 8080, true),
      node.network.flow('outside', addressesOf(2)[version], 8080, false),
    ]);
  const configure = (backend: BackendName): Promise<void> =>
    node.put(configurationOf({ ...BACKENDS[backend], iptablesRefreshInterval: '90s' }));
  const connect = async (): Promise<number> => {
    const connection = await node.prober('web').open(addressesOf(2)[4], 8080);
    if (connection === undefined) throw new Error('could not connect');
    return connection;
  };

  for (const backend of Object.keys(BACKENDS) as BackendName[]) {
    it(`its first start cuts nothing that policy allows, ${backend}`, async () => {
      await configure(backend);
      await node.put(...WORLD);
      const connection = await connect();
      const stream = await Stream.start(
        node.network,
        // Before there is any policy nothing is denied.
        flows().filter(({ expected }) => expected),
      );
      await node.startFelix();
      const { passed, cut } = await stream.stop();
      expect(cut).to.deep.equal([]);
      expect(passed).to.be.greaterThan(100);
      expect(await node.prober('web').ping(connection, true)).to.equal(true);
    });

    it(`one ends and the next begins, also with other rules than the last wrote, ${backend}`, async () => {
      await configure(backend);
      await node.put(...WORLD);
      await node.startFelix();
      const connection = await connect();
      const stream = await Stream.start(node.network, flows());
      for (let round = 0; round < 4; round++) {
        await node.stopFelix();
        // Another mask gives every rule another text: as if another version had written them.
        await node.put(
          configurationOf({
            ...BACKENDS[backend],
            iptablesMarkMask: round % 2 === 0 ? 0xff0000 : 0xff00,
          }),
        );
        await node.startFelix();
        // It may be over sooner than packets come to a number.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expectUnbroken(await stream.stop());
      expect(await node.prober('web').ping(connection, true)).to.equal(true);
    });
  }

  for (const backend of ['iptables NFT', 'iptables Legacy'] as const)
    it(`a refused restore leaves the old policy whole, and the new one comes once it is taken, ${backend}`, async () => {
      const tools = new StubbornTools();
      try {
        await configure(backend);
        await node.put(...WORLD);
        await node.startFelix();
        const connection = await connect();
        const stream = await Stream.start(node.network, flows());
        tools.refuse();
        await node.put(dbFromWeb(8080, 9090));
        await until(() => node.felix.status().failures >= 2);
        expect(node.felix.status()).to.deep.include({ ready: false });
        expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 9090, false)).to.equal(false);
        tools.obey();
        await node.settled();
        expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 9090, true)).to.equal(true);
        expectUnbroken(await stream.stop());
        expect(await node.prober('web').ping(connection, true)).to.equal(true);
      } finally {
        tools.remove();
      }
    });

  it('a stranger moves a chain of ours to another hook, and changes where a map leads: all is put back and nothing cut', async () => {
    await configure('nftables');
    await node.put(...WORLD, LONG_POLICY);
    await node.startFelix();
    const connection = await connect();
    const rules = await node.run('nft', '-s', 'list', 'chain', 'ip', 'calico', 'mangle-POSTROUTING');
    const stream = await Stream.start(node.network, flows());
    // A workload that nobody has: what is cut then is cut by us.
    const edit = `delete chain ip calico mangle-POSTROUTING
add chain ip calico mangle-POSTROUTING { type filter hook postrouting priority 7; }
add element ip calico filter-cali-tw-dispatch { "cali77" : drop }
`;
    const file = join(node.runDir, 'edit.nft');
    writeFileSync(file, edit);
    await node.run('nft', '-f', file);
    await until(
      async () =>
        (await node.run('nft', '-s', 'list', 'chain', 'ip', 'calico', 'mangle-POSTROUTING')) === rules &&
        !(await node.run('nft', '-s', 'list', 'map', 'ip', 'calico', 'filter-cali-tw-dispatch')).includes(
          'cali77',
        ),
    );
    await node.settled();
    expectUnbroken(await stream.stop());
    expect(await node.prober('web').ping(connection, true)).to.equal(true);
  });

  for (const backend of ['nftables', 'iptables NFT'] as const)
    it(`another program holds nf_tables for a long transaction: packets go on, and what changed meanwhile comes after it, ${backend}`, async () => {
      await configure(backend);
      await node.put(...WORLD);
      await node.startFelix();
      const connection = await connect();
      const stream = await Stream.start(node.network, flows());
      const file = join(mkdtempSync(join(tmpdir(), 'poplin-long-')), 'rules.nft');
      const rules = Array.from(
        { length: 60_000 },
        (_, index) => `add rule ip busy c ip saddr 198.18.${(index >> 8) & 255}.${index & 255} counter drop`,
      );
      writeFileSync(file, `add table ip busy\nadd chain ip busy c\n${rules.join('\n')}\n`);
      try {
        const loading = { isOver: false };
        const loaded = node.run('nft', '-f', file).finally(() => void (loading.isOver = true));
        let changes = 0;
        while (!loading.isOver) {
          await node.put(dbFromWeb(...(changes++ % 2 === 0 ? [8080, 9090] : [8080])));
          await node.settled();
        }
        await loaded;
        await node.put(dbFromWeb(8080, 9090));
        await node.settled();
        expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 9090, true)).to.equal(true);
        expectUnbroken(await stream.stop());
        expect(await node.prober('web').ping(connection, true)).to.equal(true);
        // One at least had to wait.
        expect(changes).to.be.greaterThan(0);
      } finally {
        rmSync(dirname(file), { recursive: true });
      }
    });
});

/** The restore programs of iptables, in front of the real ones, that refuse when told to. */
class StubbornTools {
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-tools-'));
  readonly #path = process.env.PATH ?? '';

  constructor() {
    for (const family of ['iptables', 'ip6tables'])
      for (const kind of ['nft', 'legacy']) {
        const file = join(this.#folder, `${family}-${kind}-restore`);
        writeFileSync(
          file,
          `#!/bin/sh\n[ ! -e '${this.#folder}/refuse' ] || { echo 'unable to initialize the table' >&2; exit 1; }\nPATH='${this.#path}' exec "\${0##*/}" "$@"\n`,
        );
        chmodSync(file, 0o755);
      }
    process.env.PATH = `${this.#folder}:${this.#path}`;
  }

  refuse(): void {
    writeFileSync(join(this.#folder, 'refuse'), '');
  }

  obey(): void {
    rmSync(join(this.#folder, 'refuse'));
  }

  remove(): void {
    process.env.PATH = this.#path;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('not within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
