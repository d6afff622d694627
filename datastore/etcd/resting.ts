/**
 * Which member of a cluster is asked: one that has just failed is left alone for a while, as long as another has not.
 * A member that is stopped or cut off costs each caller a whole deadline; without this, etcd3 would draw it again and
 * again.
 */
import { BrokenCircuitError, type IPolicy, noop } from 'cockatiel';

/** Longer than a request, so that its deadline is paid for seldom. */
const REST_MS = 15_000;

interface Rest {
  restsUntil: number;
}

/** @returns etcd3's fault handling: makes the policy of one member each time it is called */
export function restingHosts(hosts: number, isFault: (error: unknown) => boolean): () => IPolicy {
  if (hosts < 2) return () => noop;
  const policies: Rest[] = [];
  return () => {
    const own: Rest = { restsUntil: 0 };
    policies.push(own);
    const execute: IPolicy['execute'] = async (attempt, signal) => {
      // When all rest, there is nobody better to ask.
      if (isResting(own) && !policies.every(isResting)) throw new BrokenCircuitError();
      try {
        const value = await noop.execute(attempt, signal);
        own.restsUntil = 0;
        return value;
      } catch (error) {
        if (isFault(error)) own.restsUntil = performance.now() + REST_MS;
        throw error;
      }
    };
    return { _altReturn: undefined as never, onSuccess: noop.onSuccess, onFailure: noop.onFailure, execute };
  };
}

function isResting({ restsUntil }: Rest): boolean {
  return restsUntil > performance.now();
}
