/**
 * Other IPAM plugins (`host-local`, `dhcp`, `static`), started as the specification wants delegates started: found in
 * CNI_PATH, with the caller's variables and configuration, their result read from standard output.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { basename, join } from 'node:path';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import type { CniRequest } from '../../cni-plugin/protocol.ts';
import { type CniResult, decodeResult } from '../../cni-plugin/result.ts';
import type { Millis } from '../../clock/clock.ts';

/** Those that we are ourselves; `calico-ipam` in configurations that were made for Calico. */
const OWN: ReadonlySet<string> = new Set(['', 'calico-ipam', 'poplin', 'poplin-ipam']);

/** `dhcp` waits for a server; a kubelet waits four minutes. */
const DEADLINE: Millis = 60_000;

/** Written for a range that shall be the node's own. */
const POD_CIDR = 'usePodCidr';

export class Delegate {
  readonly type: string;
  readonly #request: CniRequest;

  private constructor(type: string, request: CniRequest) {
    this.type = type;
    this.#request = request;
  }

  /** @returns undefined when the configuration leaves addresses to us */
  static of(type: string | undefined, request: CniRequest): Delegate | undefined {
    return type === undefined || OWN.has(type) ? undefined : new Delegate(type, request);
  }

  /** Whether it speaks to its server over the workload's interface, which must be there first. Calico has no such order. */
  get needsInterface(): boolean {
    return this.type === 'dhcp';
  }

  /**
   * @param podCidrs  of the node, for configurations that ask for them
   * @throws CniFailure with the plugin's own code and words
   */
  async add(podCidrs: readonly string[] = []): Promise<CniResult> {
    const text = await this.#run('ADD', podCidrs);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new CniFailure(
        CniCode.decodingFailure,
        `the IPAM plugin ${this.type} answered no JSON`,
        text.slice(0, 200),
      );
    }
    const result = decodeResult(value);
    if (result.ok && result.value.ips.length > 0) return result.value;
    const why = result.ok ? 'no address' : result.error.msg;
    throw new CniFailure(CniCode.noAddress, `the IPAM plugin ${this.type} gave ${why}`);
  }

  /** CHECK, DEL, GC, STATUS: nothing in return. @throws CniFailure */
  async call(command: string, podCidrs: readonly string[] = []): Promise<void> {
    await this.#run(command, podCidrs);
  }

  async #run(command: string, podCidrs: readonly string[]): Promise<string> {
    const { env, stdin } = this.#request;
    const file = find(this.type, env['CNI_PATH'] ?? '');
    const { code, stdout, stderr } = await start(
      file,
      { ...env, CNI_COMMAND: command, PATH: process.env['PATH'] ?? '' },
      withPodCidrs(stdin, podCidrs, command),
    );
    if (code === 0) return stdout;
    throw failureOf(this.type, command, stdout, stderr);
  }
}

/** @throws CniFailure "try again later": a plugin that is missing now may be installed, and what it holds is still held */
function find(type: string, path: string): string {
  for (const folder of path.split(':')) {
    const file = join(folder, type);
    // A type with a slash could lead anywhere.
    if (folder === '' || basename(type) !== type) continue;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // The next folder.
    }
  }
  throw new CniFailure(
    CniCode.tryAgainLater,
    `the IPAM plugin ${type} is in no folder of CNI_PATH (${path}); install it, or correct ipam.type`,
  );
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(file: string, env: Record<string, string>, stdin: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(file, [], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: DEADLINE,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', (error) => resolve({ code: 1, stdout: '', stderr: String(error) }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, stdout, stderr: signal === null ? stderr : `it was ended by ${signal}` }),
    );
    // It may answer without reading all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
  });
}

function failureOf(type: string, command: string, stdout: string, stderr: string): CniFailure {
  try {
    const { code, msg, details = '' } = JSON.parse(stdout) as { code: number; msg: string; details?: string };
    if (typeof code === 'number') return new CniFailure(code, `the IPAM plugin ${type}: ${msg}`, details);
  } catch {
    // Told below.
  }
  return new CniFailure(
    CniCode.ioFailure,
    `the IPAM plugin ${type} failed at ${command}`,
    `${stdout}${stderr}`,
  );
}

/** What a DEL needs no true range for, as host-local finds addresses by container; so it needs no datastore either. */
const ANY_CIDRS = ['0.0.0.0/0', '::/0'];

/** The configuration with the node's ranges in the place of the word; every other octet as it came. */
export function withPodCidrs(stdin: string, podCidrs: readonly string[], command: string): string {
  if (!stdin.includes(POD_CIDR)) return stdin;
  const cidrs = podCidrs.length > 0 || command === 'ADD' ? podCidrs : ANY_CIDRS;
  const of = (isIPv6: boolean): string => {
    const cidr = cidrs.find((one) => one.includes(':') === isIPv6);
    if (cidr !== undefined) return cidr;
    throw new CniFailure(
      CniCode.invalidConfiguration,
      `ipam asks for the node's own IPv${isIPv6 ? 6 : 4} range (${POD_CIDR}), and the Node has none in status.podCIDRs`,
    );
  };
  return JSON.stringify(JSON.parse(stdin), (_key, value: unknown) =>
    value === POD_CIDR ? of(false) : value === `${POD_CIDR}IPv6` ? of(true) : value,
  );
}
