/** The CNI_* variables of one call, checked for the command that is asked. */
import { type Checked, CniCode, refuse } from './error.ts';

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

export type Command = (typeof COMMANDS)[number];

export interface Invocation {
  readonly command: Command;
  /** `''` where the command needs none. */
  readonly containerId: string;
  /** As the runtime wrote it: results must repeat it verbatim. `''` when it has none (allowed for DEL). */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS taken apart. Unknown keys are kept and ignored whether or not IgnoreUnknown is set, as Calico does. */
  readonly args: Readonly<Record<string, string>>;
  /** CNI_PATH: where delegated plugins are searched. */
  readonly path: readonly string[];
}

type Variable = 'CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME';

const REQUIRED: Readonly<Record<Command, readonly Variable[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
};

/** The specification's pattern for container ids and network names. A slash would end up in file names. */
const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** IFNAMSIZ less the terminating zero (linux/if.h). */
const INTERFACE_NAME_BYTES = 15;

export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** Why the kernel or the specification would refuse this interface name; undefined when it is fine. */
export function interfaceNameFault(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (Buffer.byteLength(name) > INTERFACE_NAME_BYTES) return `is longer than ${INTERFACE_NAME_BYTES} bytes`;
  if (name === '.' || name === '..') return 'is not a name';
  if (/[/:\s]/.test(name)) return 'contains a slash, a colon or white space';
  return undefined;
}

/** Reads one call's environment. Every fault is code 4 and names the variable. */
export function readInvocation(env: Readonly<Record<string, string | undefined>>): Checked<Invocation> {
  const command = env['CNI_COMMAND'] ?? '';
  if (!isCommand(command)) {
    const found = command === '' ? 'is not set' : `is ${JSON.stringify(command)}`;
    return invalid(`CNI_COMMAND ${found}; it must be one of ${COMMANDS.join(', ')}`);
  }
  const missing = REQUIRED[command].filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0) return invalid(`${missing.join(', ')} must be set for ${command}`);

  const needs = (variable: Variable): boolean => REQUIRED[command].includes(variable);
  const containerId = env['CNI_CONTAINERID'] ?? '';
  if (needs('CNI_CONTAINERID') && !isIdentifier(containerId)) {
    return invalid(
      `CNI_CONTAINERID is ${JSON.stringify(containerId)}; it must begin with a letter or digit and hold only letters, digits, "_", "." and "-"`,
    );
  }
  const ifName = env['CNI_IFNAME'] ?? '';
  const fault = needs('CNI_IFNAME') ? interfaceNameFault(ifName) : undefined;
  if (fault !== undefined) return invalid(`CNI_IFNAME ${JSON.stringify(ifName)} ${fault}`);

  const args = readArgs(env['CNI_ARGS'] ?? '');
  if (!args.ok) return args;
  return {
    ok: true,
    value: {
      command,
      containerId,
      netns: env['CNI_NETNS'] ?? '',
      ifName,
      args: args.value,
      path: (env['CNI_PATH'] ?? '').split(':').filter((part) => part !== ''),
    },
  };
}

/** `K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0`. */
function readArgs(text: string): Checked<Readonly<Record<string, string>>> {
  const entries: [string, string][] = [];
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals <= 0) {
      return invalid(`CNI_ARGS has ${JSON.stringify(pair)}; write KEY=VALUE pairs separated by semicolons`);
    }
    entries.push([pair.slice(0, equals), pair.slice(equals + 1)]);
  }
  return { ok: true, value: Object.fromEntries(entries) };
}

function isCommand(text: string): text is Command {
  return (COMMANDS as readonly string[]).includes(text);
}

function invalid(msg: string): {
  readonly ok: false;
  readonly error: { readonly code: number; readonly msg: string };
} {
  return refuse(CniCode.invalidEnvironment, msg);
}
