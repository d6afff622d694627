/** Measures in a network and mount namespace of its own, which the caller made, and prints the figures as JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNamespace, deleteNamespace } from '../../net/kernel/index.ts';
import { call } from './caller.ts';
import { type Peer, type Pod, startPeers } from './peers.ts';
import type { Figures, Size } from './verdict.ts';

const [sizeText = '{}'] = process.argv.slice(2);
const size = JSON.parse(sizeText) as Size;
const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-cni-'));
const pods: Pod[] = [];
const peers: Peer[] = [];
try {
  for (let index = 0; index < Math.max(size.atOnce, size.rounds, size.restart); index++)
    pods.push({ index, netns: createNamespace(`b${index}`) });
  peers.push(...(await startPeers(folder)));
  process.stdout.write(JSON.stringify(await measure()));
} finally {
  for (const peer of peers) await peer.stop();
  for (const { index } of pods) deleteNamespace(`b${index}`);
  rmSync(folder, { recursive: true, force: true });
}

/** Peers take turns, so that a busy minute of the machine hits all alike; the first turn warms caches and is not counted. */
async function measure(): Promise<Figures[]> {
  const TURNS = 4;
  const figures = peers.map(({ name }) => ({
    peer: name,
    add: [] as number[],
    del: [] as number[],
    addAtOnceMs: [] as number[],
    delAtOnceMs: [] as number[],
    restartMs: [] as number[],
  }));
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [i, peer] of peers.entries()) {
      const into = figures[i];
      if (into === undefined) continue;
      const few = pods.slice(0, Math.ceil(size.rounds / TURNS));
      const many = pods.slice(0, size.atOnce);
      const add = await call(
        few.map((pod) => peer.add(pod)),
        'one by one',
        folder,
      );
      const del = await call(
        few.map((pod) => peer.del(pod)),
        'one by one',
        folder,
      );
      const addAtOnce = await call(
        many.map((pod) => peer.add(pod)),
        'at once',
        folder,
      );
      const delAtOnce = await call(
        many.map((pod) => peer.del(pod)),
        'at once',
        folder,
      );
      if (turn === 0) continue;
      into.add.push(...add.each);
      into.del.push(...del.each);
      into.addAtOnceMs.push(addAtOnce.totalMs);
      into.delAtOnceMs.push(delAtOnce.totalMs);
    }
  }
  for (const [i, peer] of peers.entries()) figures[i]?.restartMs.push(await restart(peer));
  return figures;
}

/** A node that comes up: every pod of it is attached, as many at once as runtimes do. */
async function restart(peer: Peer): Promise<number> {
  const all = pods.slice(0, size.restart);
  let ms = 0;
  for (let at = 0; at < all.length; at += size.atOnce) {
    const wave = all.slice(at, at + size.atOnce);
    ms += (
      await call(
        wave.map((pod) => peer.add(pod)),
        'at once',
        folder,
      )
    ).totalMs;
  }
  for (let at = 0; at < all.length; at += size.atOnce)
    await call(
      all.slice(at, at + size.atOnce).map((pod) => peer.del(pod)),
      'at once',
      folder,
    );
  return ms;
}
