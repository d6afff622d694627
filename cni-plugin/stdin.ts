/**
 * The little of a network configuration that the executable itself needs: that it is JSON, which protocol
 * version the answer must have, and where the agent listens. Everything else is the agent's to check.
 */
import { type Checked, CniCode, refuse } from './error.ts';
import { NEWEST_VERSION, SUPPORTED_VERSIONS, isSupported } from './version.ts';
import type { Command } from './environment.ts';

export const DEFAULT_AGENT_SOCKET = '/run/poplin/agent.sock';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Header {
  /** What errors and results are labelled with. */
  readonly cniVersion: string;
  readonly agentSocket: string;
}

/** Parses stdin into an object; code 6 says what was found instead. */
export function parseConfiguration(text: string): Checked<JsonObject> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const found =
      text.trim() === '' ? 'standard input is empty' : `standard input is not JSON: ${reason(error)}`;
    return refuse(
      CniCode.decodingFailure,
      `${found}; a network configuration is one JSON object`,
      excerpt(text),
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
    return refuse(
      CniCode.decodingFailure,
      `standard input is ${found}; a network configuration is one JSON object`,
    );
  }
  return { ok: true, value: value as JsonObject };
}

/**
 * DEL takes any version: it prints nothing, and refusing it would leave the pod in Terminating for ever.
 * A missing version means 0.1.0 by the specification, which is not spoken here.
 */
export function readHeader(configuration: JsonObject, command: Command): Checked<Header> {
  const { cniVersion = '0.1.0', agent_socket: agentSocket = DEFAULT_AGENT_SOCKET } = configuration;
  if (typeof agentSocket !== 'string' || !agentSocket.startsWith('/')) {
    return refuse(
      CniCode.invalidConfiguration,
      `agent_socket is ${JSON.stringify(agentSocket)}; it must be the absolute path of the node agent's socket, by default ${DEFAULT_AGENT_SOCKET}`,
    );
  }
  if (typeof cniVersion !== 'string' || (!isSupported(cniVersion) && command !== 'DEL')) {
    const found =
      'cniVersion' in configuration ? `is ${JSON.stringify(cniVersion)}` : 'is missing, which means 0.1.0';
    return refuse(
      CniCode.incompatibleVersion,
      `cniVersion ${found}; this plugin speaks ${SUPPORTED_VERSIONS.join(', ')}`,
    );
  }
  return { ok: true, value: { cniVersion, agentSocket } };
}

/** The version an error is labelled with when the configuration gives none that can be used. */
export function versionForErrors(configuration: JsonObject | undefined): string {
  const version = configuration?.['cniVersion'];
  return typeof version === 'string' && isSupported(version) ? version : NEWEST_VERSION;
}

function excerpt(text: string): string {
  const line = text.trim().slice(0, 120);
  return line === '' ? '' : `it begins: ${line}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
