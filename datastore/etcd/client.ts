/**
 * etcd3 with a policy of our own. Reads are repeated until their deadline. Writes are never repeated here: whether
 * one that got no answer has happened is a question for `commit.ts`.
 */
import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { isBrokenCircuitError, noop } from 'cockatiel';
import { Etcd3, isRecoverableError } from 'etcd3';
import type { Clock, Millis } from '../../clock/clock.ts';
import type { EtcdOptions } from './location.ts';
import { isRefusal, problemOf, told, unavailable } from './problems.ts';
import { restingHosts } from './resting.ts';

/** One request. */
const REQUEST: Millis = 5000;
/** One call of the Store, repeats included: longer than an election takes. */
export const PATIENCE: Millis = 20_000;
/** A first connection: who starts may be told at once that the location is wrong. */
export const FIRST_PATIENCE: Millis = 5000;
/** Between attempts, growing. */
const PAUSE: Millis = 50;
const LONGEST_PAUSE: Millis = 1000;

export function connect({ endpoints, auth, tls }: EtcdOptions): Etcd3 {
  return new Etcd3({
    hosts: [...endpoints],
    ...(auth === undefined ? {} : { auth }),
    ...(tls === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: tls.ca as Buffer,
            ...(tls.key === undefined ? {} : { privateKey: tls.key }),
            ...(tls.cert === undefined ? {} : { certChain: tls.cert }),
          },
        }),
    dialTimeout: REQUEST,
    defaultCallOptions: ({ isStream }) =>
      isStream
        ? { interceptors: [withLeader] }
        : { interceptors: [withNewToken], deadline: new Date(Date.now() + REQUEST) },
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      // A connection that died without a word (a cut cable) is found out in seconds.
      'grpc.keepalive_time_ms': 5000,
      'grpc.keepalive_timeout_ms': 3000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
    },
    faultHandling: { host: restingHosts(endpoints.length, isPassing), global: noop },
  });
}

/**
 * A member that is cut off from its leader keeps a watch open and tells it nothing. Asked like this it ends the watch
 * instead, and the next one goes to another member.
 */
const withLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      metadata.set('hasleader', 'true');
      next(metadata, listener);
    },
  });

/** Whether the request may or may not have reached the store, or would succeed a moment later. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Error &&
    !isRefusal(error) &&
    (isRecoverableError(error) ||
      isBrokenCircuitError(error) ||
      /too many requests|leader changed|no leader/.test(error.message))
  );
}

export function isCompacted(error: unknown): boolean {
  return error instanceof Error && /has been compacted/.test(error.message);
}

/**
 * A signed token (JWT) is refused as soon as somebody has changed users or roles, in words that etcd3 does not know: it
 * asks for a new one only when told that the token is invalid. The request has not been carried out.
 */
const withNewToken: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, _listener, next) {
      next(metadata, {
        onReceiveStatus(status, pass) {
          const isOld = status.details.includes('revision of auth store is old');
          pass(isOld ? { ...status, details: 'etcdserver: invalid auth token' } : status);
        },
      });
    },
  });

export interface Patience {
  readonly clock: Clock;
  readonly options: EtcdOptions;
  /** Key or folder, for what a user is told. */
  readonly asked: string;
  readonly patience?: Millis;
}

/**
 * Repeats `attempt` while what stops it may pass.
 *
 * @throws PoplinError with a code of `problems.ts`; other errors as they come
 */
export async function persist<T>(
  { clock, options, asked, patience = PATIENCE }: Patience,
  attempt: () => Promise<T>,
): Promise<T> {
  const deadline = clock.now() + patience;
  for (let pause = PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error)) throw told(options, error, asked);
      if (clock.now() + pause > deadline || isHopeless(options, error, asked))
        throw unavailable(options, error);
    }
    await new Promise<void>((resolve) => clock.after(pause, 'ask etcd again', resolve));
  }
}

/** Other members may have better certificates. */
function isHopeless(options: EtcdOptions, error: unknown, asked: string): boolean {
  return options.endpoints.length === 1 && problemOf(options, error, asked) !== undefined;
}
