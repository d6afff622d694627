/**
 * Looking at traffic while something happens to its network: transfers, pings and captures between namespaces of a lab. On
 * this machine's kernel or inside another, where looking is slow.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../interop/peers/lab.ts';
import { Transfer } from './transfer.ts';

/** Some full packets, some fifty times a second. */
const PORTION = 8 * 1024;
const PORTION_MS = 20;

/** How often to look, and for how long; on a slow machine, looking takes time from what is looked at. */
export interface Pace {
  readonly pauseMs: number;
  readonly withinMs: number;
  /** That ping side by side. */
  readonly pings: number;
}

export const PACE: Pace = { pauseMs: 100, withinMs: 60_000, pings: 5 };

export interface Pinged {
  readonly answered: number;
  /** Numbers of those before the last answered that were not. */
  readonly lost: readonly number[];
}

/** @throws Error saying what the answer was last, where it is not right in time */
export async function waitUntil<T>(
  { pauseMs, withinMs }: Pace,
  what: string,
  ask: () => Promise<T> | T,
  right: (answer: T) => boolean,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    if (performance.now() > until)
      throw new Error(`${what}: not within ${withinMs} ms; it is: ${String(answer)}`);
    await sleep(pauseMs);
  }
}

/**
 * Sends over one connection as much as goes while something happens, begun before and ended after.
 *
 * @param netns  where the connection begins; an echo is at `address`
 * @throws when the connection breaks or what comes back is not what went
 */
export async function whileTransferring(
  netns: string,
  address: string,
  what: (transfer: Transfer) => Promise<unknown>,
): Promise<void> {
  const transfer = new Transfer(netns, address);
  const over = new AbortController();
  const sending = (async () => {
    while (!over.signal.aborted) {
      await transfer.send(PORTION);
      await sleep(PORTION_MS);
    }
  })();
  sending.catch(() => {});
  try {
    await what(transfer);
  } finally {
    over.abort();
  }
  await sending;
  await transfer.finish();
}

/**
 * Of ping. Below ten milliseconds it waits in a busy loop, and starves what it looks at: so there are several of it.
 */
const PING_SECONDS = 0.01;
/** Each, before and after what happens. */
const ENOUGH = 20;

/** Pings some hundreds of times a second while something happens, from a network namespace to an address. */
export async function pingedWhile(
  netns: string,
  address: string,
  what: () => Promise<unknown>,
  pace: Pace = PACE,
): Promise<Pinged> {
  const version = address.includes(':') ? '-6' : '-4';
  const args = [`--net=${netns}`, 'ping', version, '-n', '-i', String(PING_SECONDS), '-W', '30', address];
  const pings = Array.from({ length: pace.pings }, () => {
    const process = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const seen = new Set<number>();
    let rest = '';
    process.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const number = /icmp_seq=(\d+).*time=/.exec(line)?.[1];
        if (number !== undefined) seen.add(Number(number));
      }
    });
    return { process, seen };
  });
  const more = async (): Promise<void> => {
    const before = pings.map(({ seen }) => seen.size);
    const since = (): readonly number[] => pings.map(({ seen }, i) => seen.size - (before[i] ?? 0));
    await waitUntil(pace, 'pings are answered', since, (counts) => Math.min(...counts) >= ENOUGH);
  };
  try {
    await more();
    await what();
    await more();
  } finally {
    for (const { process } of pings) process.kill('SIGINT');
    await Promise.all(pings.map(({ process }) => once(process, 'close')));
  }
  const lost = pings.flatMap(({ seen }) =>
    Array.from({ length: Math.max(...seen) }, (_, i) => i + 1).filter((number) => !seen.has(number)),
  );
  return { answered: pings.reduce((sum, { seen }) => sum + seen.size, 0), lost };
}

/** A program that sees packets pass; `stop` resolves when it has said all. */
interface Capturing {
  readonly file: string;
  stop(): Promise<void>;
}

export class Watch {
  readonly #lab: Lab;
  readonly #pace: Pace;
  #captures = 0;

  constructor(lab: Lab, pace: Pace = PACE) {
    this.#lab = lab;
    this.#pace = pace;
  }

  until<T>(what: string, ask: () => Promise<T> | T, right: (answer: T) => boolean): Promise<T> {
    return waitUntil(this.#pace, what, ask, right);
  }

  /** See {@link whileTransferring}. */
  whileTransferring(
    netns: string,
    address: string,
    what: (transfer: Transfer) => Promise<unknown>,
  ): Promise<void> {
    return whileTransferring(netns, address, what);
  }

  /** See {@link pingedWhile}. */
  pingedWhile(netns: string, address: string, what: () => Promise<unknown>): Promise<Pinged> {
    return pingedWhile(netns, address, what, this.#pace);
  }

  /** What passes an interface of a node while `during` runs, as tcpdump decodes it: a packet each. */
  async captured(
    node: string,
    link: string,
    filter: string,
    during: () => Promise<unknown>,
  ): Promise<readonly string[]> {
    const file = await this.#during(node, link, filter, during);
    return (await this.#lab.run(node, 'tcpdump', ['-r', file, '-nn', '-v'])).split(/\n(?=\S)/);
  }

  /** The same as octets, headers and all. */
  async capturedRaw(
    node: string,
    link: string,
    filter: string,
    during: () => Promise<unknown>,
  ): Promise<Buffer> {
    return readFileSync(await this.#during(node, link, filter, during));
  }

  async #during(node: string, link: string, filter: string, during: () => Promise<unknown>): Promise<string> {
    const capturing = await this.#capture(node, link, filter);
    try {
      await during();
    } finally {
      await capturing.stop();
    }
    return capturing.file;
  }

  async #capture(node: string, link: string, filter: string): Promise<Capturing> {
    const file = join(this.#lab.folder, `${node}-${link}-${++this.#captures}.pcap`);
    // 32 MiB: what a busy machine lets lie for a while must not be lost (tcpdump counts in KiB).
    const args = ['-i', link, '-B', '32768', '-U', '--immediate-mode', '-w', file, '-Z', 'root', filter];
    const dump = spawn('nsenter', [`--net=${this.#lab.netns(node)}`, 'tcpdump', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    dump.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await this.until(
      'tcpdump listens',
      () => said,
      (text) => text.includes('listening on'),
    );
    const stop = async (): Promise<void> => {
      try {
        await this.until(
          'tcpdump has read all that passed',
          async () => {
            said = '';
            dump.kill('SIGUSR1');
            // It writes its line piece by piece.
            while (!said.endsWith('\n')) await once(dump.stderr, 'data');
            return said;
          },
          (text) => {
            const [captured = -1, received = 0, dropped = 0] =
              text.match(/\d+(?= packets?)/g)?.map(Number) ?? [];
            return captured + dropped === received;
          },
        );
      } finally {
        dump.kill('SIGINT');
        await once(dump, 'exit');
      }
    };
    return { file, stop };
  }
}
