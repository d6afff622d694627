/** What a command may touch of the outside: streams, environment, files by way of stdin. Tests hand in their own. */

export interface Terminal {
  /** Writes as it is: callers end their lines. */
  out(text: string): void;
  err(text: string): void;
  /**
   * Waits until what was written has left, for output that is larger than memory.
   * @returns false when nobody reads any more (`| head`): there is no use in going on
   */
  flushed(): Promise<boolean>;
  /** All of standard input, once. */
  stdin(): Promise<string>;
  /** Standard input as it comes, for input that is larger than memory, or no text. */
  octets(): AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Columns to keep within; undefined when the output is no terminal and nothing should be cut. */
  readonly columns: number | undefined;
  /** Escape sequences are welcome on standard output. */
  readonly colour: boolean;
}

export function systemTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  let gone = false;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    gone = true;
  });
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    flushed: () => flushed(stdout, () => gone),
    stdin: readStdin,
    octets: () => process.stdin,
    env,
    columns: stdout.isTTY ? stdout.columns : undefined,
    colour: stdout.isTTY && env['NO_COLOR'] === undefined && env['TERM'] !== 'dumb',
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function flushed(stream: NodeJS.WriteStream, isGone: () => boolean): Promise<boolean> {
  if (isGone() || !stream.writableNeedDrain) return Promise.resolve(!isGone());
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve(!isGone());
    };
    stream.on('drain', done).on('close', done).on('error', done);
  });
}
