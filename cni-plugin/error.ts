/** Errors as the CNI specification wants them told: a code, one sentence, and the details. */

/** CNI specification 1.1.0, section "Error"; 8 and 999 are the reference library's own, 100 and up are ours. */
export const CniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidConfiguration: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  notAvailableLimited: 51,
  /** CHECK found kernel and record apart. */
  checkFailed: 100,
  /** No address: pool empty, or a requested one is taken. */
  noAddress: 101,
  /** The interface name is taken in the container's namespace. */
  interfaceExists: 102,
  /** Some attachments could not be freed; the details name them. */
  gcIncomplete: 103,
  internal: 999,
} as const;

export interface CniError {
  readonly code: number;
  /** What is wrong and what to do about it. A runtime shows this to the user, often alone. */
  readonly msg: string;
  readonly details?: string;
}

/** What an operation comes to. `output` is the document for stdout; undefined prints nothing. */
export type CniOutcome =
  | { readonly ok: true; readonly output: object | undefined }
  | { readonly ok: false; readonly error: CniError };

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: CniError };

export function cniError(code: number, msg: string, details?: string): CniError {
  return details === undefined || details === '' ? { code, msg } : { code, msg, details };
}

export function refuse(
  code: number,
  msg: string,
  details?: string,
): { readonly ok: false; readonly error: CniError } {
  return { ok: false, error: cniError(code, msg, details) };
}

/** Carries a CniError through code that rejects; the dispatcher turns it back into an outcome. */
export class CniFailure extends Error {
  override readonly name = 'CniFailure';
  readonly error: CniError;

  constructor(code: number, msg: string, details?: string) {
    super(msg);
    this.error = cniError(code, msg, details);
  }
}
