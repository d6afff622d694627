/** Nodes that join a VXLAN cluster: from their commit to the last route in the kernel, far ends and neighbours included. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../clock/system.ts';
import { silent } from '../../daemon/log.ts';
import { openStore } from '../../datastore/index.ts';
import { Routing } from '../../felix-lite/routing/routing.ts';
import { Address } from '../../net/addr/index.ts';
import { type Figure, prefixes, timed } from './rig.ts';

/** Nodes that come one by one after the others; their median counts. */
const MORE = 20;

function put(kind: string, scope: string, name: string, value: object) {
  return { type: 'put' as const, key: { kind, scope, name }, value, expect: 'any' as const };
}

function resource(kind: string, name: string, spec: object) {
  return put(kind, '', name, { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

export async function joiners(netns: string, many: number): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-routes-'));
  const store = await openStore(join(folder, 'datastore.db'));
  const all = prefixes(many + MORE);
  const nodeOf = (i: number) =>
    resource('Node', `node-${i}`, {
      bgp: {
        ipv4Address: `${Address.v4(0xc000_0201)
          .add(i * 256)
          .toString()}/24`,
      },
      ipv4VXLANTunnelAddr: (all[i] ?? all[0])?.nth(0).toString(),
    });
  const blockOf = (i: number) =>
    put('BlockAffinity', `host:node-${i}`, (all[i] ?? '').toString(), { state: 'confirmed' });
  const pool = resource('IPPool', 'pool', { cidr: '10.0.0.0/8', blockSize: 26, vxlanMode: 'Always' });
  await store.commit([pool, nodeOf(0), blockOf(0)]);
  const routing = new Routing({ node: 'node-0', store, clock: new SystemClock(), log: silent, netns });
  const until = async (routes: number): Promise<void> => {
    while (routing.status().routes < routes) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  try {
    routing.start();
    await until(1);
    const others = Array.from({ length: many - 1 }, (_, i) => i + 1);
    const joined = await timed('all in the kernel', async () => {
      await store.commit(others.flatMap((i) => [nodeOf(i), blockOf(i)]));
      await until(many);
    });
    const more: Figure[] = [];
    for (let i = many; i < many + MORE; i++)
      more.push(
        await timed('one node more', async () => {
          await store.commit([nodeOf(i), blockOf(i)]);
          await until(i + 1);
        }),
      );
    const [one = joined] = more.sort((a, b) => a.seconds - b.seconds).slice(MORE / 2);
    return [joined, cpuOf(joined), one, cpuOf(one)];
  } finally {
    await routing.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

/** Of this process, the datastore's part included. */
function cpuOf({ cpuSeconds = Number.NaN }: Figure): Figure {
  return { name: '  of that, CPU', seconds: cpuSeconds };
}
