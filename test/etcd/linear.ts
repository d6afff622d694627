/**
 * Whether a recorded history of one register with compare-and-swap is linearizable: whether every operation can be
 * given a moment between its call and its answer such that the register explains all answers.
 *
 * The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of configurations
 * that lead nowhere.
 */

/** `undefined`: nothing is there. */
export type State = string | undefined;

export interface Operation {
  readonly call: number;
  /** Infinity: it has never been answered. */
  readonly answer: number;
  readonly action:
    | { readonly type: 'read'; readonly seen: State }
    /** `ok` undefined: nobody knows. */
    | { readonly type: 'swap'; readonly from: State; readonly to: State; readonly ok: boolean | undefined };
}

/** The state after the operation at this moment; undefined when the register would have answered otherwise. */
export function apply(state: State, { action }: Operation): { readonly state: State } | undefined {
  if (action.type === 'read') return action.seen === state ? { state } : undefined;
  const isMatch = action.from === state;
  if (action.ok !== undefined && action.ok !== isMatch) return undefined;
  return { state: isMatch ? action.to : state };
}

export function isLinearizable(history: readonly Operation[], initial: State): boolean {
  const operations = history.toSorted((a, b) => a.call - b.call);
  const dead = new Set<string>();

  /** @param first  all before it are done; `done` are those behind it that are done too */
  function search(first: number, done: ReadonlySet<number>, state: State): boolean {
    if (first === operations.length) return true;
    const configuration = JSON.stringify([first, [...done].toSorted((a, b) => a - b), state ?? null]);
    if (dead.has(configuration)) return false;
    const pending = candidates(first, done);
    for (const i of pending) {
      const next = apply(state, operations[i]!);
      if (next === undefined) continue;
      const after = new Set(done).add(i);
      let from = first;
      while (after.delete(from)) from++;
      if (search(from, after, next.state)) return true;
    }
    // What was never answered need not have happened.
    if (onlyUnanswered(first, done)) return true;
    dead.add(configuration);
    return false;
  }

  /** Those that may be next: called before any other that is left was answered. */
  function candidates(first: number, done: ReadonlySet<number>): number[] {
    const left: number[] = [];
    let soonest = Infinity;
    for (let i = first; i < operations.length && operations[i]!.call <= soonest; i++) {
      if (done.has(i)) continue;
      left.push(i);
      soonest = Math.min(soonest, operations[i]!.answer);
    }
    return left;
  }

  function onlyUnanswered(first: number, done: ReadonlySet<number>): boolean {
    return operations.every((one, i) => i < first || done.has(i) || one.answer === Infinity);
  }

  return search(0, new Set(), initial);
}
