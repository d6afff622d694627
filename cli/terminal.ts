/** What a command may touch of the outside: streams, environment, files by way of stdin. Tests hand in their own. */

export interface Terminal {
  /** Writes as it is: callers end their lines. */
  out(text: string): void;
  err(text: string): void;
  /** All of standard input, once. */
  stdin(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Columns to keep within; undefined when the output is no terminal and nothing should be cut. */
  readonly columns: number | undefined;
  /** Escape sequences are welcome on standard output. */
  readonly colour: boolean;
}

export function systemTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    stdin: readStdin,
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
