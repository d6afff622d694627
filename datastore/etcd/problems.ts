/** What etcd, gRPC and TLS say, told to the person who has to mend it. Pure. */
import { type Problem, PoplinError } from '../../api/problem.ts';
import type { EtcdOptions } from './location.ts';

export type EtcdProblemCode =
  | 'STORE_DENIED'
  | 'STORE_FULL'
  | 'STORE_LOGIN'
  | 'STORE_TLS'
  | 'STORE_TOO_LARGE'
  | 'STORE_UNAVAILABLE';

type Told = Pick<Problem, 'what' | 'remedy'>;

interface Rule {
  readonly code: EtcdProblemCode;
  readonly says: RegExp;
  /** @param asked  key or folder that was read or written */
  readonly tell: (options: EtcdOptions, asked: string) => Told;
}

/** In order: the first that fits. The texts are those of etcd's `rpctypes`, OpenSSL and Node's TLS. */
const RULES: readonly Rule[] = [
  {
    code: 'STORE_DENIED',
    says: /permission denied/,
    tell: ({ auth, tls, prefix }, asked) => ({
      what:
        auth === undefined
          ? `etcd lets nobody at ${asked} without a user${tls?.cert === undefined ? '' : ', and takes the common name of our certificate for none that may'}`
          : `etcd does not let the user ${auth.username} at ${asked}`,
      remedy: `${auth === undefined ? 'name a user in the location, etcd://USER:PASSWORD@HOST:PORT, and ' : ''}give a role of this user read and write on the whole prefix: etcdctl role grant-permission ROLE readwrite --prefix=true ${prefix}/`,
    }),
  },
  {
    code: 'STORE_LOGIN',
    says: /user name is empty|user name not found/,
    tell: (options) => ({
      what: `etcd at ${placeOf(options)} lets nobody in without a name`,
      remedy: 'put user and password into the location: etcd://USER:PASSWORD@HOST:PORT',
    }),
  },
  {
    code: 'STORE_LOGIN',
    says: /authentication failed|invalid user ID or password/,
    tell: (options) => ({
      what: `etcd at ${placeOf(options)} refuses the user ${options.auth?.username ?? ''} or its password`,
      remedy: `check both in the location; a new password is set with: etcdctl user passwd ${options.auth?.username ?? 'USER'}`,
    }),
  },
  {
    code: 'STORE_LOGIN',
    says: /authentication is not enabled/,
    tell: (options) => ({
      what: `etcd at ${placeOf(options)} knows no users, but the location names ${options.auth?.username ?? 'one'}`,
      remedy: 'leave user and password out of the location, or switch users on: etcdctl auth enable',
    }),
  },
  {
    code: 'STORE_FULL',
    says: /database space exceeded/,
    tell: (options) => ({
      what: `etcd at ${placeOf(options)} has reached its quota and takes no writes`,
      remedy:
        'compact and defragment it, or raise --quota-backend-bytes, then end the alarm: etcdctl alarm disarm',
    }),
  },
  {
    code: 'STORE_TOO_LARGE',
    says: /request is too large|too many operations in txn|message larger than max/,
    tell: (_, asked) => ({
      what: `etcd takes no write as large as that of ${asked}`,
      remedy:
        'make the object smaller, or raise --max-request-bytes and --max-txn-ops of etcd (1.5 MiB and 128 as it comes)',
    }),
  },
  {
    code: 'STORE_TLS',
    says: /certificate has expired|certificate is not yet valid/,
    tell: (options) => ({
      what: `the certificate of etcd at ${placeOf(options)} is not valid at this time`,
      remedy: "renew it, and check this machine's clock",
    }),
  },
  {
    code: 'STORE_TLS',
    says: /does not match certificate's altnames|ERR_TLS_CERT_ALTNAME_INVALID/,
    tell: (options) => ({
      what: `the certificate of etcd at ${placeOf(options)} is for another name`,
      remedy: 'reach etcd by a name in its certificate, or give that name as ?name=NAME',
    }),
  },
  {
    code: 'STORE_TLS',
    says: /self.signed certificate|unable to (?:verify|get)|UNABLE_TO_|SELF_SIGNED/i,
    tell: (options) => ({
      what: `no authority that is trusted here vouches for the certificate of etcd at ${placeOf(options)}`,
      remedy: 'name the file of the authority that signed it as ?ca=FILE',
    }),
  },
  {
    code: 'STORE_TLS',
    says: /certificate required|bad certificate|unknown ca|alert certificate|handshake failure/i,
    tell: (options) => ({
      what: `etcd at ${placeOf(options)} refuses our certificate`,
      remedy: 'name one that its authority (--trusted-ca-file) has signed, with its key: ?cert=FILE&key=FILE',
    }),
  },
];

/** The problem that an error stands for, when it is one that time alone does not mend. */
export function problemOf(options: EtcdOptions, error: unknown, asked: string): Problem | undefined {
  const text = textOf(error);
  const rule = RULES.find(({ says }) => says.test(text));
  return rule === undefined ? undefined : { code: rule.code, value: asked, ...rule.tell(options, asked) };
}

/** Whether etcd has understood, and will say the same again until somebody changes something. */
export function isRefusal(error: unknown): boolean {
  const text = textOf(error);
  return RULES.some(({ code, says }) => code !== 'STORE_TLS' && says.test(text));
}

export function isFull(error: unknown): boolean {
  return /database space exceeded/.test(textOf(error));
}

/** @returns the error itself when there is nothing better to say */
export function told(options: EtcdOptions, error: unknown, asked: string): unknown {
  if (error instanceof PoplinError) return error;
  const problem = problemOf(options, error, asked);
  return problem === undefined ? error : new PoplinError([problem], { cause: error });
}

export function unavailable(options: EtcdOptions, error: unknown): PoplinError {
  return new PoplinError(
    [
      problemOf(options, error, options.prefix) ?? {
        code: 'STORE_UNAVAILABLE',
        value: options.endpoints.join(','),
        what: `etcd at ${placeOf(options)} does not answer (${bare(error)})`,
        remedy: `check that it runs, that this machine reaches it, and that it speaks ${options.tls === undefined ? 'without TLS, as etcd:// says' : 'TLS, as etcds:// says'}`,
      },
    ],
    { cause: error },
  );
}

function placeOf({ endpoints }: EtcdOptions): string {
  return endpoints.join(', ');
}

/** Without what gRPC puts around the reason. */
function bare(error: unknown): string {
  const text = textOf(error).replace(/^\d+ [A-Z_]+: /, '');
  return /Last error: (?:Error: )?(.*?)\.? Resolution note:/s.exec(text)?.[1] ?? text;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
