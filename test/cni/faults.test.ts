/** Many at once, each other's way, a full disk, a restart of the machine: a code and a sentence, and nothing left. */
import { expect } from 'chai';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { openStore, ResourceClient } from '../../datastore/index.ts';
import { run } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { NODE, pool, POOLS } from './runtime.ts';
import { B, CniWorld, type Refusal, type Result } from './world.ts';

const PLUGIN = join(import.meta.dirname, '..', '..', 'cni-plugin', 'poplin');

describeOnKernel('CNI: faults', function () {
  this.timeout(120_000);
  const world = new CniWorld();

  it('attaches 200 interfaces at once, none with the address of another, and detaches them at once', async () => {
    await world.node.apply(pool('wide-v4', '10.72.0.0/16', 26), pool('wide-v6', 'fd00:72::/64', 122));
    const conf = world.node.conf({ ipam: { ipv4_pools: ['wide-v4'], ipv6_pools: ['wide-v6'] } });
    const calls = Array.from({ length: 200 }, (_, i) =>
      world.attach({ containerId: `c${i}`, ifName: `e${i}`, args: '', conf }),
    );
    const answers = await Promise.all(calls.map((call) => world.node.call(call)));
    expect(answers.find(({ exitCode }) => exitCode !== 0)?.stdout).to.equal(undefined);
    const addresses = answers.flatMap(({ output }) =>
      (output as unknown as Result).ips.map(({ address }) => address),
    );
    expect(new Set(addresses).size).to.equal(400);
    const gone = await Promise.all(calls.map((call) => world.node.call({ ...call, command: 'DEL' })));
    expect(gone.every(({ exitCode, stdout }) => exitCode === 0 && stdout === '')).to.equal(true);
    await world.expectNothingLeft();
  });

  it('keeps order among ADDs and DELs of one attachment that race each other', async () => {
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        ['ADD', 'DEL', 'ADD', 'DEL', 'ADD'].map((command) => world.node.call(world.attach({ command }))),
      );
      for (const { exitCode, output } of answers)
        expect(exitCode === 0 || output?.['code'] === 102, JSON.stringify(output)).to.equal(true);
      expect((await world.node.call(world.attach({ command: 'DEL' }))).exitCode).to.equal(0);
      await world.expectNothingLeft();
    }
  });

  it('frees all of a machine that was restarted: namespaces gone, the store full of endpoints', async () => {
    await world.add();
    await world.add({ containerId: B, netns: world.other.path(), args: '' });
    await world.node.kill();
    for (const name of await world.cables()) await world.host.ip('link', 'delete', name);
    await world.node.start();
    await world.expectNothingLeft();
  });

  it('says that a deletion cannot be written down when the disk is full and no agent answers', async () => {
    await world.add();
    await world.node.kill();
    // Too small a file system for a folder and a file in it.
    const script = 'mount -t tmpfs -o size=4k,nr_inodes=2 none "$1" && touch "$1/full" && exec "$2"';
    const outcome = await run(
      'unshare',
      ['--mount', 'sh', '-c', `${script} || true`, 'sh', world.node.runDir, PLUGIN],
      {
        stdin: JSON.stringify(world.node.conf()),
        env: {
          PATH: '/usr/bin:/bin',
          CNI_COMMAND: 'DEL',
          CNI_CONTAINERID: 'c',
          CNI_IFNAME: 'eth0',
          CNI_PATH: '/x',
        },
      },
    ).catch((error: unknown) => String(error));
    expect(outcome).to.be.a('string').and.contain('exited with 1');
    await world.node.start();
    expect(await world.endpoints()).to.have.length(1);
  });

  it('says that the disk of the datastore is full, lets pods go, and is well again when there is space', async () => {
    await world.node.kill();
    const small = join(world.node.folder, 'small');
    const prepared = join(world.node.folder, 'prepared.db');
    mkdirSync(small);
    const store = await openStore(prepared);
    for (const one of [NODE, ...POOLS]) unwrap(await new ResourceClient(store, new SystemClock()).apply(one));
    await store.close();
    // The store on a file system of the agent's own, of which most is taken.
    const script = `mount -t tmpfs -o size=2m none "$1" && cp "$2" "$1/store.db" || exit
      head -c 1200k /dev/zero > "$1/ballast"; shift 2; exec "$@"`;
    const within = ['unshare', '--mount', 'sh', '-c', script, 'sh', small, prepared];
    await world.node.start({ datastore: join(small, 'store.db'), within });
    await world.add();
    const other = world.attach({ containerId: B, netns: world.other.path(), args: '' });
    let refused: Refusal | undefined;
    for (let i = 0; refused === undefined && i < 200; i++) {
      const answer = await world.node.call({ ...other, ifName: `e${i}` });
      if (answer.exitCode === 0) await world.node.call({ ...other, ifName: `e${i}`, command: 'DEL' });
      else refused = answer.output as unknown as Refusal;
    }
    expect(refused).to.deep.include({ code: 11 });
    expect(JSON.stringify(refused)).to.contain('no space is left for the datastore');
    const del = world.attach({ command: 'DEL' });
    expect(await world.node.call(del)).to.include({ exitCode: 0, stdout: '' });
    expect(await world.cables()).to.deep.equal([]);
    await run('nsenter', [`--target=${world.node.pid}`, '--mount', 'rm', join(small, 'ballast')]);
    for (let tries = 0; tries < 600 && world.node.owed() > 0; tries++) await sleep(100);
    expect(world.node.owed()).to.equal(0);
    expect((await world.node.call(world.attach())).exitCode).to.equal(0);
    await world.node.kill();
  });

  it('refuses paths that are no network namespaces, with the code for it, and takes no address', async () => {
    for (const netns of [
      '/proc/self/ns/mnt',
      '/etc/passwd',
      '/',
      '/run/netns/never-was',
      world.host.path(),
    ]) {
      const error = await world.refused(world.attach({ netns }));
      expect([error.code, error.msg.includes(netns)], netns).to.deep.equal([8, true]);
    }
    await world.expectNothingLeft();
  });
});
