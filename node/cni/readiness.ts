/**
 * `readiness_gates` of Calico's configuration: URLs that must answer before a pod is given a network, so that it does not
 * start on a node whose other components are not there yet. Calico looks every five seconds for thirty; so do we, but oftener.
 */
import type { Clock, Millis } from '../../clock/clock.ts';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';

const WAIT_AT_MOST: Millis = 30_000;
const ANSWER_WITHIN: Millis = 5000;
const PAUSE: Millis = 500;

/** @returns undefined when the URL says ready, else what it says. Never rejects */
export type Look = (url: string, signal: AbortSignal) => Promise<string | undefined>;

/** @throws CniFailure "try again later" when one is still not ready at the end, with its last words */
export async function passGates(urls: readonly string[], clock: Clock, look: Look = ask): Promise<void> {
  const deadline = clock.now() + WAIT_AT_MOST;
  await Promise.all(
    urls.map(async (url) => {
      for (;;) {
        const why = await look(url, AbortSignal.timeout(ANSWER_WITHIN));
        if (why === undefined) return;
        if (clock.now() + PAUSE > deadline) throw closed(url, why);
        await new Promise<void>((resolve) => clock.after(PAUSE, `readiness gate ${url}`, resolve));
      }
    }),
  );
}

/** Ready is what Calico takes for it: any answer from 200 to 399. */
async function ask(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal, redirect: 'manual' });
    await answer.body?.cancel();
    return answer.status >= 200 && answer.status < 400 ? undefined : `it answers ${answer.status}`;
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown };
    return String(cause ?? error);
  }
}

function closed(url: string, why: string): CniFailure {
  return new CniFailure(
    CniCode.tryAgainLater,
    `the readiness gate ${url} of the network configuration has not opened in ${WAIT_AT_MOST / 1000} s: ${why}; look after what serves it, or take it out of readiness_gates`,
  );
}
