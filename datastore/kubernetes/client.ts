/**
 * Asking an API server with patience. Reads are repeated until their deadline, at the pace that the server asks for. Writes
 * are sent once: whether one that got no clear answer has happened is a question for `commit.ts`.
 */
import { PoplinError } from '../../api/problem.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import { type Answer, type Api, type Ask, NoAnswer } from './api.ts';
import type { KubernetesObject } from './native/native.ts';
import type { ApiResource } from './resources.ts';
import { isPassing, refusal, statusOf } from './status.ts';
import { parseJson } from '../json.ts';

/** One request. */
export const REQUEST: Millis = 10_000;
/** One call of the Store, repeats included: longer than a restart of the API server takes to be noticed and mended. */
export const PATIENCE: Millis = 20_000;
/** A first connection: who starts may be told at once that the location is wrong. */
export const FIRST_PATIENCE: Millis = 5000;
/**
 * After a connection broke: where a server may have been started anew, which answers 403 to everybody but its
 * administrators until it has read its roles, a second or two.
 */
const SETTLING: Millis = 5000;
const SETTLING_PAUSE: Millis = 200;
/** Between attempts, growing. */
const PAUSE: Millis = 50;
const LONGEST_PAUSE: Millis = 2000;

/** What came of a write. */
export type Attempt =
  | { readonly outcome: 'answered'; readonly answer: Answer }
  /** Sent, maybe, and maybe done. */
  | { readonly outcome: 'unknown'; readonly why: string }
  /** Certainly not done; it may be sent again when the pause is over. */
  | { readonly outcome: 'refused'; readonly why: string; readonly pause: Millis };

export class Client {
  readonly api: Api;
  readonly clock: Clock;
  #lostAt: Millis = -Infinity;

  constructor(api: Api, clock: Clock) {
    this.api = api;
    this.clock = clock;
  }

  /**
   * An answer that waiting does not change: success, or an error that says something about the request.
   * @throws PoplinError STORE_UNAVAILABLE, or STORE_FORBIDDEN and others that {@link refusal} gives
   */
  async read(
    path: string,
    query: Readonly<Record<string, string>>,
    resource: ApiResource,
    patience: Millis = PATIENCE,
    accept?: string,
  ): Promise<Answer> {
    const ask: Ask = { method: 'GET', path, query, accept };
    const deadline = this.clock.now() + patience;
    let mayRenew = true;
    for (let pause = PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      const answer = await this.#try(ask, Math.min(REQUEST, Math.max(1000, deadline - this.clock.now())));
      let wait = pause;
      if (answer instanceof NoAnswer && answer.isDistrust) throw this.#distrusted(answer.message);
      if (!(answer instanceof NoAnswer)) {
        if (answer.status === 401 && mayRenew) {
          mayRenew = false;
          this.api.forgetCredentials();
          continue;
        }
        if (answer.status === 401 || (answer.status === 403 && !(await this.isSettling())))
          throw refusal(answer, ask, resource);
        // "Too large resource version" comes as a timeout, but says that the history is another.
        if (answer.status === 403) wait = SETTLING_PAUSE;
        else if (!isPassing(answer) || statusOf(answer).causes.includes('ResourceVersionTooLarge'))
          return answer;
        else wait = Math.max(pause, answer.retryAfter ?? 0);
      }
      if (this.clock.now() + wait > deadline) throw this.unavailable(describe(answer));
      await this.pause(wait);
    }
  }

  /** @returns undefined when there is no such object, or no such resource where that counts as empty */
  async getObject(path: string, resource: ApiResource): Promise<KubernetesObject | undefined> {
    const ask: Ask = { method: 'GET', path };
    const answer = await this.read(path, {}, resource);
    if (answer.status === 200) return parseJson(answer.text) as KubernetesObject;
    const { name } = statusOf(answer);
    if (answer.status === 404 && (name !== undefined || resource.optional)) return undefined;
    throw refusal(answer, ask, resource);
  }

  async write(ask: Ask): Promise<Attempt> {
    let answer = await this.#try(ask, REQUEST);
    if (!(answer instanceof NoAnswer) && answer.status === 401) {
      this.api.forgetCredentials();
      answer = await this.#try(ask, REQUEST);
    }
    if (answer instanceof NoAnswer)
      return answer.mayHaveArrived
        ? { outcome: 'unknown', why: answer.message }
        : { outcome: 'refused', why: answer.message, pause: 200 };
    // Turned away at the door, before anything was done.
    if (answer.status === 429)
      return { outcome: 'refused', why: describe(answer), pause: answer.retryAfter ?? 1000 };
    if (answer.status === 403 && (await this.isSettling()))
      return { outcome: 'refused', why: describe(answer), pause: SETTLING_PAUSE };
    if (answer.status >= 500) return { outcome: 'unknown', why: describe(answer) };
    return { outcome: 'answered', answer };
  }

  /** A connection broke, or could not be made. */
  noteLoss(): void {
    this.#lostAt = this.clock.now();
  }

  /** After a 403: whether the server is only just starting, so that it is worth asking again. It says so at `/readyz`. */
  async isSettling(): Promise<boolean> {
    const ready = await this.#try({ method: 'GET', path: '/readyz' }, REQUEST);
    if (ready instanceof NoAnswer || ready.status >= 500) return true;
    // It lets us see nothing at all: before it has read its roles, or for good.
    return ready.status !== 200 && this.clock.now() - this.#lostAt < SETTLING;
  }

  async pause(delay: Millis): Promise<void> {
    await new Promise<void>((resolve) => this.clock.after(delay, 'ask the API server again', resolve));
  }

  #distrusted(why: string): PoplinError {
    const { server } = this.api;
    return new PoplinError([
      {
        code: 'STORE_TLS',
        value: server,
        what: `the API server at ${server} shows a certificate that we do not trust (${why})`,
        remedy:
          'check the address, and the certificate-authority of its cluster in the kubeconfig file (ca.crt of the service account in a pod)',
      },
    ]);
  }

  unavailable(why: string): PoplinError {
    const { server } = this.api;
    return new PoplinError([
      {
        code: 'STORE_UNAVAILABLE',
        value: server,
        what: `the API server at ${server} does not answer (${why})`,
        remedy:
          'check that it runs, that this machine reaches it, and that its certificate is of the named authority',
      },
    ]);
  }

  async #try(ask: Ask, timeout: Millis): Promise<Answer | NoAnswer> {
    try {
      return await this.api.ask(ask, timeout);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.noteLoss();
      return error;
    }
  }
}

export function describe(answer: Answer | NoAnswer): string {
  return answer instanceof NoAnswer ? answer.message : `${answer.status}: ${statusOf(answer).message}`;
}
