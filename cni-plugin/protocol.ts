/** What the executable and the node agent say to each other: `POST /cni` on the agent's socket. */
import { type CniError, type CniOutcome, CniCode, cniError } from './error.ts';

export interface CniRequest {
  readonly command: string;
  /** The CNI_* variables, verbatim. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input, verbatim. */
  readonly stdin: string;
}

export interface CniResponse {
  readonly exitCode: 0 | 1;
  /** The one document for stdout; null prints nothing. */
  readonly output: object | null;
}

export function toResponse(outcome: CniOutcome, cniVersion: string): CniResponse {
  if (outcome.ok) return { exitCode: 0, output: outcome.output ?? null };
  return errorResponse(outcome.error, cniVersion);
}

export function errorResponse(error: CniError, cniVersion: string): CniResponse {
  return { exitCode: 1, output: { cniVersion, ...error } };
}

/** Checks what came over a socket: the agent may be older or newer than the executable. */
export function isCniResponse(value: unknown): value is CniResponse {
  if (typeof value !== 'object' || value === null) return false;
  const { exitCode, output } = value as Partial<CniResponse>;
  return (exitCode === 0 || exitCode === 1) && typeof output === 'object';
}

export function readCniRequest(value: unknown): CniRequest | CniError {
  const bad = cniError(CniCode.decodingFailure, 'the request must be {command, env, stdin}');
  if (typeof value !== 'object' || value === null) return bad;
  const { command, env, stdin } = value as Partial<CniRequest>;
  if (typeof command !== 'string' || typeof stdin !== 'string' || typeof env !== 'object' || env === null)
    return bad;
  if (!Object.values(env).every((text) => typeof text === 'string')) return bad;
  return { command, env, stdin };
}
