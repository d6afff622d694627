/** Cuts a failing case down: whole writes first, then runs of octets with every length put right, then single octets. */
import { framed, joined } from './draft.ts';
import { Trial, type Case } from './trial.ts';

/** Tries that one failure is worth; each takes a few milliseconds. */
const TRIES = 3_000;

export function minimal(failing: Case): Case {
  let tries = 0;
  const fails = (writes: readonly Uint8Array[]): boolean =>
    tries++ < TRIES && new Trial().run({ kind: failing.kind, writes }).length > 0;
  let writes: readonly Uint8Array[] = messagesOf(failing.writes);
  if (!fails(writes)) writes = failing.writes;
  writes = without(writes, fails);
  for (let i = writes.length - 1; i >= 0; i--) writes = shorter(writes, i, fails);
  return { kind: failing.kind, writes };
}

/** The stream cut where its headers say, as far as they make sense. */
function messagesOf(writes: readonly Uint8Array[]): Uint8Array[] {
  const all = joined(writes);
  const messages: Uint8Array[] = [];
  for (let at = 0; at < all.length; ) {
    const length = Math.max(19, ((all[at + 16] ?? 0) << 8) | (all[at + 17] ?? 0));
    messages.push(all.slice(at, at + length));
    at += length;
  }
  return messages;
}

function without(
  writes: readonly Uint8Array[],
  fails: (writes: readonly Uint8Array[]) => boolean,
): readonly Uint8Array[] {
  let kept = writes;
  for (let i = kept.length - 1; i >= 0; i--) {
    const fewer = kept.toSpliced(i, 1);
    if (fails(fewer)) kept = fewer;
  }
  return kept;
}

function shorter(
  writes: readonly Uint8Array[],
  at: number,
  fails: (writes: readonly Uint8Array[]) => boolean,
): readonly Uint8Array[] {
  let kept = writes;
  for (let run = 64; run >= 1; run = Math.floor(run / 2)) {
    for (let from = 19; from + run <= (kept[at]?.length ?? 0); ) {
      const message = kept[at] as Uint8Array;
      const body = joined([message.slice(19, from), message.slice(from + run)]);
      const fewer = kept.with(at, framed(message[18] ?? 0, body));
      if (fails(fewer)) kept = fewer;
      else from += run;
    }
  }
  return kept;
}
