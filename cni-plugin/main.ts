/** The executable's entry: reads standard input, runs one call, prints at most one JSON document. */
import { askControl } from '../daemon/control.ts';
import { CniCode, cniError } from './error.ts';
import { PendingDeletions } from './pending.ts';
import { runPlugin } from './plugin.ts';
import { type CniResponse, errorResponse } from './protocol.ts';
import { NEWEST_VERSION } from './version.ts';

/** Above what the agent may take (addresses, wiring, waiting for policy), below a kubelet's four minutes. */
const DEADLINE_MS = 90_000;

async function readStdin(): Promise<string> {
  // A person who calls the plugin by hand has a terminal there, which never ends.
  if (process.stdin.isTTY) return '';
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function main(): Promise<CniResponse> {
  return runPlugin(process.env, await readStdin(), {
    ask: (socket, request) => askControl(socket, 'POST', '/cni', { body: request, deadlineMs: DEADLINE_MS }),
    promiseDeletion: (socket, network, request) => PendingDeletions.beside(socket).add(network, request),
  });
}

// Whatever happens, a runtime gets JSON with a code and not a stack trace.
const response = await main().catch((error: unknown) =>
  errorResponse(
    cniError(CniCode.internal, 'the plugin failed; this is a defect of Poplin', String(error)),
    NEWEST_VERSION,
  ),
);
if (response.output !== null) process.stdout.write(`${JSON.stringify(response.output)}\n`);
process.exitCode = response.exitCode;
