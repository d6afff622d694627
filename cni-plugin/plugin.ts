/**
 * One call of the executable, from environment and standard input to exit code and standard output.
 *
 * It decides nothing about the network: it refuses what no agent could understand, asks the agent, and
 * knows what each command owes when the agent is away. Socket and disk come in as functions.
 */
import { formatProblem, type Result } from '../api/problem.ts';
import { type Command, type Invocation, readInvocation } from './environment.ts';
import { CniCode, cniError, type CniError } from './error.ts';
import { type CniRequest, type CniResponse, errorResponse, isCniResponse } from './protocol.ts';
import { parseConfiguration, readHeader, versionForErrors, type JsonObject } from './stdin.ts';
import { SUPPORTED_VERSIONS } from './version.ts';

export interface PluginPorts {
  /** Asks the agent behind this socket. An unreachable agent is a value. */
  ask(agentSocket: string, request: CniRequest): Promise<Result<unknown>>;
  /** Promises a deletion durably. @throws when it cannot be written down */
  promiseDeletion(agentSocket: string, network: string, request: CniRequest): void;
}

export async function runPlugin(
  env: Readonly<Record<string, string | undefined>>,
  stdin: string,
  ports: PluginPorts,
): Promise<CniResponse> {
  const configuration = parseConfiguration(stdin);
  const version = versionForErrors(configuration.ok ? configuration.value : undefined);
  const invocation = readInvocation(env);
  if (!invocation.ok) return errorResponse(invocation.error, version);
  if (!configuration.ok) return errorResponse(configuration.error, version);
  if (invocation.value.command === 'VERSION') return versions(configuration.value);

  const header = readHeader(configuration.value, invocation.value.command);
  if (!header.ok) return errorResponse(header.error, version);

  const request: CniRequest = { command: invocation.value.command, env: cniVariables(env), stdin };
  const answer = await ports.ask(header.value.agentSocket, request);
  if (answer.ok && isCniResponse(answer.value)) return answer.value;
  const why = answer.ok
    ? 'its answer makes no sense; is it another version?'
    : answer.problems.map(formatProblem).join('; ');
  return withoutAgent(
    invocation.value,
    configuration.value,
    header.value.agentSocket,
    request,
    why,
    version,
    ports,
  );
}

/** What each command owes when nothing answers. */
function withoutAgent(
  invocation: Invocation,
  configuration: JsonObject,
  socket: string,
  request: CniRequest,
  why: string,
  version: string,
  ports: PluginPorts,
): CniResponse {
  if (invocation.command !== 'DEL') return errorResponse(agentAway(invocation.command, socket, why), version);
  const { name } = configuration;
  if (typeof name !== 'string') {
    return errorResponse(
      cniError(CniCode.invalidConfiguration, 'name is missing: a network configuration names its network'),
      version,
    );
  }
  try {
    ports.promiseDeletion(socket, name, request);
    return { exitCode: 0, output: null };
  } catch (error) {
    return errorResponse(
      cniError(
        CniCode.tryAgainLater,
        `the node agent does not answer on ${socket}, and the deletion could not be written down for it either; start the agent, then try again`,
        `${why}; ${String(error)}`,
      ),
      version,
    );
  }
}

function agentAway(command: Command, socket: string, why: string): CniError {
  const sentence = `the Poplin node agent does not answer on ${socket}; check that it runs on this node (and that agent_socket names its socket), then try again`;
  return cniError(command === 'STATUS' ? CniCode.notAvailable : CniCode.tryAgainLater, sentence, why);
}

/** The specification says to echo the version that was asked with; the reference library prints its own newest. */
function versions(configuration: JsonObject): CniResponse {
  return {
    exitCode: 0,
    output: { cniVersion: versionForErrors(configuration), supportedVersions: [...SUPPORTED_VERSIONS] },
  };
}

function cniVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[0].startsWith('CNI_') && entry[1] !== undefined,
    ),
  );
}
