/** One attempt to open a TCP connection and hear who answers. */
import { connect } from 'node:net';

export interface Knock {
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

export type KnockResult =
  /** `name` is who answered; `seenAs` the address from which it saw us come. */
  | { readonly outcome: 'open'; readonly name: string; readonly seenAs: string; readonly tookMs: number }
  /** Nothing came back: what a firewall's drop looks like. */
  | { readonly outcome: 'silence' }
  /** Somebody said no: reset, unreachable, no route. */
  | { readonly outcome: 'refused'; readonly code: string };

/** Never rejects. Open means that the greeting arrived whole, not merely that the handshake did. */
export function knock({ address, port, timeoutMs }: Knock): Promise<KnockResult> {
  const began = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const settle = (result: KnockResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => settle({ outcome: 'silence' }), timeoutMs);
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      const greeting = readGreeting(text.slice(0, end));
      settle(
        greeting === undefined
          ? { outcome: 'refused', code: 'not a workload of the lab' }
          : { outcome: 'open', ...greeting, tookMs: performance.now() - began },
      );
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      settle({ outcome: 'refused', code: error.code ?? error.message }),
    );
    socket.on('end', () => settle({ outcome: 'refused', code: 'closed without a greeting' }));
  });
}

function readGreeting(line: string): { name: string; seenAs: string } | undefined {
  try {
    const { name, you } = JSON.parse(line) as { name?: unknown; you?: unknown };
    return typeof name === 'string' && typeof you === 'string' ? { name, seenAs: you } : undefined;
  } catch {
    return undefined;
  }
}
