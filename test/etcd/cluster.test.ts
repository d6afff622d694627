/**
 * The etcd engine on three members that fail under load: every answer to a compare-and-swap is one that a single
 * register could have given, every mirror equals the store, and no event is lost or told twice.
 */
import fc from 'fast-check';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { skip } from '../../datastore/skip.ts';
import { EtcdCluster, type Member } from './cluster.ts';
import { pause, SELECTION, underLoad, until } from './load.ts';

const KEY = { kind: 'K', scope: '', name: 'register' };

describe('etcd: a cluster of three', function () {
  this.timeout(180_000);
  const cluster = new EtcdCluster();
  let count = 0;

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'network namespaces need root');
    await cluster.start();
  });
  after(() => cluster.remove());

  it('whose leader is killed', async () => {
    const leader = await cluster.leader();
    await underLoad(next(), async () => {
      await leader.kill();
      await cluster.leader(leader);
      await pause(300);
      leader.start(cluster.members);
      await cluster.healthy();
    });
  });

  it('whose leader stops for a while', async () => {
    const leader = await cluster.leader();
    await underLoad(next(), async () => {
      leader.signal('SIGSTOP');
      await cluster.leader(leader);
      await pause(6000);
      leader.signal('SIGCONT');
      await cluster.healthy();
    });
  });

  it('with a member cut off from the others, which clients still reach: followers there follow the others', async () => {
    const cutOff = await follower();
    const prefix = location('/away');
    // Enough of them that some watch there.
    const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(prefix)));
    const mirrors = stores.map((store) => new Mirror(store, [SELECTION]));
    const write = (value: number) => stores[0]?.commit([{ type: 'put', key: KEY, value, expect: 'any' }]);
    const all = (value: number) => () => mirrors.every((mirror) => mirror.get(KEY)?.value === value);
    for (const mirror of mirrors) mirror.start();
    await write(1);
    await until(all(1), 'the first value');
    await underLoad(next(), async ({ count }) => {
      const before = count();
      cutOff.partition();
      try {
        await write(2);
        await until(all(2), 'the second value');
        await until(() => count() > before + 100, 'writes at the others');
      } finally {
        cutOff.heal();
      }
      await cluster.healthy();
    });
    for (const mirror of mirrors) await mirror.stop();
    for (const store of stores) await store.close();
  });

  it('under any script of leader changes, kills, cuts and compaction, whatever is written meanwhile', async () => {
    const fault = fc.constantFrom('move leader', 'move leader', 'kill', 'cut off', 'compact');
    const register = fc.constantFrom('a', 'b', 'c');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 4, maxLength: 6 }),
        fc.array(register, { minLength: 1, maxLength: 9 }),
        async (faults, registers) => {
          const place = next();
          const control = await openStore(place);
          await underLoad(
            place,
            async () => {
              for (const one of faults) await inflict(one, control);
              await cluster.healthy();
            },
            registers,
          );
          await control.close();
        },
      ),
      { numRuns: 2, interruptAfterTimeLimit: 30_000, endOnFailure: true },
    );
  });

  async function inflict(fault: string, control: Store): Promise<void> {
    switch (fault) {
      case 'move leader':
        await cluster.moveLeader();
        return pause(100);
      case 'kill': {
        const leader = await cluster.leader();
        await leader.kill();
        await pause(200);
        leader.start(cluster.members);
        return cluster.healthy();
      }
      case 'cut off': {
        const away = await follower();
        away.partition();
        await pause(700);
        away.heal();
        return cluster.healthy();
      }
      default:
        // All but what the judgement replays. Followers that are up to date do not feel it.
        return control.compact('2');
    }
  }

  async function follower(): Promise<Member> {
    const leader = await cluster.leader();
    const found = cluster.members.find((member) => member !== leader);
    if (found === undefined) throw new Error('no follower');
    return found;
  }

  function location(prefix: string): string {
    return `etcd://${cluster.endpoints}${prefix}`;
  }

  function next(): string {
    return location(`/load-${++count}`);
  }
});
