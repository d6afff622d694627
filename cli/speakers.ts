/** Which bgpd a command means: a socket, a run directory, one node of the running lab, or all of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PoplinError } from '../api/problem.ts';
import { askControlLines } from '../daemon/ask-stream.ts';
import { UsageError } from './command.ts';
import { chooseRunDirs } from './context.ts';
import type { Terminal } from './terminal.ts';

export interface SpeakerPlace {
  /** Undefined where only the socket is known. */
  readonly node: string | undefined;
  readonly socket: string;
}

export interface SpeakerArguments {
  readonly node: string | undefined;
  readonly 'run-dir': string | undefined;
  readonly socket: string | undefined;
}

export function chooseSpeakers(args: SpeakerArguments, env: Terminal['env']): readonly SpeakerPlace[] {
  const { node, socket } = args;
  if (socket !== undefined) {
    if (node !== undefined || args['run-dir'] !== undefined)
      throw new UsageError('--socket says it all: leave out --node and --run-dir');
    return [{ node: undefined, socket }];
  }
  const nodes = node === undefined ? [] : [node];
  return chooseRunDirs(args['run-dir'], nodes, env, folders).map(({ node: name, runDir }) => ({
    node: name,
    socket: join(runDir, 'bgpd.sock'),
  }));
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/** @throws PoplinError with what the daemon says, or that there is none */
export async function ask<T>({ socket }: SpeakerPlace, url: string): Promise<AsyncIterable<T>> {
  const answer = await askControlLines<T>(socket, url);
  if (!answer.ok) throw new PoplinError(answer.problems);
  return answer.value;
}
