/**
 * A lab inside a user-mode kernel of its own: the machine stays, and the commands of the lab run inside it. They are handed
 * in as files in a folder that both see, and what they print comes back over the machine's console, a line at a time.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PoplinError, type Problem } from '../../api/problem.ts';
import { isAlive, type ProcessIdentity, processIdentity } from '../../daemon/process.ts';
import { REPOSITORY } from '../runner/paths.ts';
import { KERNEL, kernelArguments, SCRATCH, umlAbsent, umlPresent } from './uml.ts';

/** One file for each lab that has a machine. Inside a machine there is none. */
const MACHINES = '/run/poplin/machines';
/** What a machine hides of this machine's files. */
const HIDDEN = ['/tmp', '/run', '/var/lib/poplin'];
const READY = 'POPLIN-READY';
const LOOK_MS = 100;
/** Pieces of standard input that wait to be read. */
const FED_AHEAD = 16;
const BOOT_MS = 120_000;
const END_MS = 30_000;

export interface LabMachine {
  readonly lab: string;
  readonly process: ProcessIdentity;
  /** Outside of {@link HIDDEN}: requests, and the console's text. */
  readonly folder: string;
}

/** The machine of a lab; without a name the only one there is. */
export function machineOf(lab: string | undefined): LabMachine | undefined {
  const machines = (existsSync(MACHINES) ? readdirSync(MACHINES) : [])
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(MACHINES, file), 'utf8')) as LabMachine);
  if (lab !== undefined) return machines.find((machine) => machine.lab === lab);
  return machines.length === 1 ? machines[0] : undefined;
}

/** @throws PoplinError UML_ABSENT, LAB_FILE_HIDDEN, or MACHINE_SILENT with the console's last words */
export async function startMachine(lab: string, topologyFile: string): Promise<LabMachine> {
  if (!umlPresent()) throw new PoplinError([umlAbsent()]);
  const hidden = HIDDEN.find((folder) => topologyFile.startsWith(`${folder}/`));
  if (hidden !== undefined) throw new PoplinError([fileHidden(topologyFile, hidden)]);
  const folder = mkdtempSync(join(SCRATCH, `poplin-lab-${lab}-`));
  const run = join(folder, 'run.sh');
  writeFileSync(run, inside(folder));
  const out = openSync(join(folder, 'console'), 'a');
  const child = spawn(KERNEL, kernelArguments({ folder, script: run, memoryMegabytes: MEMORY_MEGABYTES }), {
    stdio: ['ignore', out, 'ignore'],
    detached: true,
  });
  closeSync(out);
  child.unref();
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
  if (identity === undefined) throw new PoplinError([silent(lab, folder)]);
  const machine: LabMachine = { lab, process: identity, folder };
  const file = recordOf(lab);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(machine));
  renameSync(`${file}.new`, file);
  if (!(await follow(machine, 0, (line) => line === READY, BOOT_MS))) {
    end(machine);
    throw new PoplinError([silent(lab, folder)]);
  }
  return machine;
}

/** Pages are the host's, and taken when they are used. */
const MEMORY_MEGABYTES = 4096;
let requests = 0;

/**
 * Runs a command of `poplin` inside.
 *
 * @param print  told what it writes, line by line
 * @param input  what it reads; without it nothing. Destroyed when the command has ended
 * @returns its exit code
 * @throws PoplinError MACHINE_GONE
 */
export async function inMachine(
  machine: LabMachine,
  args: readonly string[],
  print: (text: string) => void,
  input?: Readable,
): Promise<number> {
  const id = `${process.pid}-${++requests}`;
  const file = join(machine.folder, `${id}.request`);
  const from = consoleLength(machine);
  const feed = input === undefined ? undefined : new Feed(join(machine.folder, `${id}.in`));
  writeFileSync(`${file}.new`, [join(REPOSITORY, 'bin', 'poplin'), ...args].map(quote).join(' '));
  renameSync(`${file}.new`, file);
  const feeding = input === undefined ? undefined : feed?.take(input);
  let code: number | undefined;
  const ended = await follow(machine, from, (line) => {
    const [, kind, whose, rest = ''] = /^POPLIN-(LINE|RC) (\S+) ?(.*)$/.exec(line) ?? [];
    if (whose !== id) return false;
    if (kind === 'LINE') print(`${rest}\n`);
    else code = Number(rest);
    return kind === 'RC';
  });
  feed?.close();
  input?.destroy();
  await feeding;
  if (!ended || code === undefined) throw new PoplinError([gone(machine)]);
  return code;
}

/**
 * Standard input for a command inside, as files that are numbered: the machine would not see one that grows, of which it has
 * read the length already. `NAME` says that there is input, `NAME.end` that there is no more; inside each goes as it is read.
 */
class Feed {
  readonly #name: string;
  #next = 0;
  #closed = false;

  constructor(name: string) {
    this.#name = name;
    writeFileSync(name, '');
  }

  /** Resolves when the input has ended, or nobody reads it any more. */
  async take(input: Readable): Promise<void> {
    try {
      for await (const chunk of input) {
        await this.#room();
        if (this.#closed) return;
        this.#put(String(this.#next++), chunk as Buffer | string);
      }
    } catch {
      // It was destroyed, or cannot be read; to the command it has ended either way.
    }
    if (!this.#closed) this.#put('end', '');
  }

  close(): void {
    this.#closed = true;
  }

  async #room(): Promise<void> {
    while (!this.#closed && existsSync(`${this.#name}.${this.#next - FED_AHEAD}`)) await sleep(LOOK_MS);
  }

  #put(part: string, content: Buffer | string): void {
    const file = `${this.#name}.${part}`;
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  }
}

/** Takes the lab down inside, then the machine. */
export async function stopMachine(machine: LabMachine, print: (text: string) => void): Promise<number> {
  let code = 0;
  if (isAlive(machine.process)) {
    code = await inMachine(machine, ['lab', 'down', machine.lab], print);
    writeFileSync(join(machine.folder, 'stop'), '');
    const until = performance.now() + END_MS;
    while (isAlive(machine.process) && performance.now() < until) await sleep(LOOK_MS);
  }
  end(machine);
  return code;
}

/** Ends its processes, every one of which is in the group of the first, and forgets it. */
function end({ lab, process: { pid }, process: identity, folder }: LabMachine): void {
  if (isAlive(identity)) process.kill(-pid, 'SIGKILL');
  rmSync(recordOf(lab), { force: true });
  rmSync(folder, { recursive: true, force: true });
}

function recordOf(lab: string): string {
  return join(MACHINES, `${lab}.json`);
}

/** Reads the console on from an offset. @returns false when the machine ended, or the time was over, before `done` */
async function follow(
  machine: LabMachine,
  from: number,
  done: (line: string) => boolean,
  withinMs = Number.POSITIVE_INFINITY,
): Promise<boolean> {
  const fd = openSync(join(machine.folder, 'console'), 'r');
  const until = performance.now() + withinMs;
  const bytes = Buffer.alloc(64 * 1024);
  let at = from;
  let rest = '';
  try {
    for (;;) {
      // Asked first: what a machine wrote before it ended is still read.
      const alive = isAlive(machine.process);
      const length = readSync(fd, bytes, 0, bytes.length, at);
      at += length;
      const lines = (rest + bytes.toString('latin1', 0, length)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        if (done(Buffer.from(line, 'latin1').toString('utf8').replace(/\r+$/, ''))) return true;
      if (length > 0) continue;
      if (!alive || performance.now() > until) return false;
      await sleep(LOOK_MS);
    }
  } finally {
    closeSync(fd);
  }
}

function consoleLength({ folder }: LabMachine): number {
  return readFileSync(join(folder, 'console')).length;
}

/** What the machine does for as long as it lives. Its root is this machine's, so its state goes where nobody sees it. */
function inside(folder: string): string {
  return `
export PATH=${quote(dirname(process.execPath))}:$PATH POPLIN_LAB_MACHINE=1
mkdir -p /var/lib/poplin
mount -t tmpfs tmpfs /var/lib/poplin
cd ${quote(folder)}
feed() {
  part=0
  while [ ! -e "/run/$1.rc" ]; do
    # Looked at first: what came before the end is there by then.
    if [ -e "$1.in.end" ]; then last=yes; else last=; fi
    if [ -e "$1.in.$part" ]; then
      cat "$1.in.$part" || return
      rm "$1.in.$part"
      part=$((part + 1))
    elif [ -n "$last" ]; then return
    else sleep 0.1; fi
  done
}
echo ${READY}
while [ ! -e stop ]; do
  for request in *.request; do
    [ -e "$request" ] || continue
    id=\${request%.request}
    mv "$request" "$id.taken"
    {
      { if [ -e "$id.in" ]; then feed "$id"; fi; } |
        { sh "$id.taken" 2>&1; echo $? >"/run/$id.rc"; } | sed -u "s/^/POPLIN-LINE $id /"
      echo "POPLIN-RC $id $(cat "/run/$id.rc")"
    } &
  done
  sleep 0.2
done
`;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function fileHidden(file: string, folder: string): Problem {
  return {
    code: 'LAB_FILE_HIDDEN',
    value: file,
    what: `the topology is in ${folder}, which is another folder inside a user-mode kernel`,
    remedy: 'put it and what belongs to it somewhere else, /var/tmp for one',
  };
}

function silent(lab: string, folder: string): Problem {
  return {
    code: 'MACHINE_SILENT',
    value: lab,
    what: `the user-mode kernel for the lab "${lab}" did not start`,
    remedy: `see its console: ${folder}/console`,
  };
}

function gone({ lab }: LabMachine): Problem {
  return {
    code: 'MACHINE_GONE',
    value: lab,
    what: `the user-mode kernel of the lab "${lab}" has ended`,
    remedy: `clean up with: poplin lab down ${lab}`,
  };
}
