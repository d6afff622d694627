/**
 * A real ExaBGP in a node of a {@link Lab}. It has no table and no command line of its own: a program it starts is told
 * what happens, a JSON object a line, and gives it commands. Here that program is a shell between two files.
 */
import type { ChildProcess } from 'node:child_process';
import { chmodSync, createReadStream, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '../../../datastore/json.ts';
import { run } from '../../../net/kernel/process.ts';
import { eventually } from './eventually.ts';
import type { Lab } from './lab.ts';

export class Exabgp {
  /** Name of the program in the configuration, for `api { processes [ ... ]; }`. */
  static readonly PROGRAM = 'test';
  readonly #lab: Lab;
  readonly #node: string;
  readonly #path: (suffix: string) => string;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.#node = node;
    this.#path = (suffix) => join(lab.folder, `${node}.${suffix}`);
  }

  /** Starts it with these neighbours, and waits until its program runs. */
  async start(config: string): Promise<void> {
    const [program, commands, events] = [this.#path('sh'), this.#path('commands'), this.#path('events')];
    await run('rm', ['-f', commands, events]);
    await run('mkfifo', [commands]);
    // The pipe is opened for both ways, so that it does not end with the first writer; its reader ends with ExaBGP.
    const script = ['#!/bin/sh', `exec 3<>${commands}`, 'cat <&3 &', `cat >${events}`, 'kill $!', ''];
    writeFileSync(program, script.join('\n'));
    chmodSync(program, 0o755);
    const header = `process ${Exabgp.PROGRAM} { run ${program}; encoder json; }\n`;
    writeFileSync(this.#path('conf'), header + config);
    this.#child = this.#lab.start(this.#node, 'python3-exabgp', [this.#path('conf')], {
      ...process.env,
      exabgp_daemon_user: 'root',
      exabgp_daemon_drop: 'false',
      exabgp_tcp_bind: '0.0.0.0 ::',
      exabgp_api_cli: 'false',
      exabgp_log_level: 'INFO',
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#lines.push(text));
    await eventually(
      'ExaBGP runs its program',
      () => readFile(events, 'utf8'),
      () => true,
      // A configuration of 50,000 routes is ten seconds of work to it where nothing else runs, and was over 60 on a busy machine.
      300_000,
    );
  }

  /** Gives it a command of its API: `announce route 192.0.2.0/24 next-hop self`. */
  async command(...lines: readonly string[]): Promise<void> {
    const pipe = await open(this.#path('commands'), 'w');
    await pipe.writeFile(lines.map((line) => `${line}\n`).join(''));
    await pipe.close();
  }

  /** What it has told so far. */
  async events(): Promise<unknown[]> {
    const lines = createInterface({ input: createReadStream(this.#path('events')) });
    const events: unknown[] = [];
    for await (const line of lines) if (line.startsWith('{')) events.push(parseJson(plain(line)));
    return events;
  }

  log(): string {
    return this.#lines.join('');
  }

  freeze(): void {
    if (this.#child !== undefined) this.#lab.signal(this.#child, 'SIGSTOP');
  }

  thaw(): void {
    if (this.#child !== undefined) this.#lab.signal(this.#child, 'SIGCONT');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child !== undefined) await this.#lab.kill(this.#child, signal);
  }
}

/** Its reasons quote octets as they came, which JSON does not allow. */
function plain(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, ' ');
}
