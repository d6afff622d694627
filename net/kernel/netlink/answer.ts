/** What the kernel answers to a question, put together message by message. Pure. */
import {
  type Message,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  readVerdict,
  type Verdict,
} from './message.ts';

export interface Answer {
  /** Nothing more is to come. */
  readonly complete: boolean;
  /** Takes the next message. Those that belong to another question are passed over. */
  take(bytes: Buffer, message: Message): void;
}

/**
 * The fate of messages numbered from `first` on, of which only the last asked for an acknowledgement: failures are
 * reported unasked, and silence before the last verdict is success.
 */
export class BatchAnswer implements Answer {
  /** Of those that failed, by place. */
  readonly failures = new Map<number, Verdict>();
  complete = false;
  private readonly first: number;
  private readonly count: number;
  private readonly visit: ((bytes: Buffer, message: Message) => void) | undefined;

  constructor(first: number, count: number, visit?: (bytes: Buffer, message: Message) => void) {
    this.first = first;
    this.count = count;
    this.visit = visit;
  }

  take(bytes: Buffer, message: Message): void {
    const index = message.sequence - this.first;
    if (index < 0 || index >= this.count) return;
    if (message.type === NLMSG_ERROR) {
      const verdict = readVerdict(bytes, message);
      if (verdict.errno !== 0) this.failures.set(index, verdict);
      if (index === this.count - 1) this.complete = true;
    } else this.visit?.(bytes, message);
  }
}

/** The objects of a dump, in as many parts as the kernel makes of it. */
export class DumpAnswer<T> implements Answer {
  readonly found: T[] = [];
  /** How it ended; undefined until it has. */
  verdict: Verdict | undefined;
  /** The objects changed meanwhile: some may be missing, or be there twice. */
  interrupted = false;
  /** The first message that could not be read, and why. */
  broken: { readonly error: unknown } | undefined;
  private readonly sequence: number;
  private readonly decode: (bytes: Buffer, message: Message) => T | undefined;

  /** @param decode  undefined for what is not to be in the result */
  constructor(sequence: number, decode: (bytes: Buffer, message: Message) => T | undefined) {
    this.sequence = sequence;
    this.decode = decode;
  }

  get complete(): boolean {
    return this.verdict !== undefined;
  }

  take(bytes: Buffer, message: Message): void {
    if (message.sequence !== this.sequence) return;
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
    if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR)
      this.verdict = readVerdict(bytes, message);
    else if (this.broken === undefined) this.keep(bytes, message);
  }

  private keep(bytes: Buffer, message: Message): void {
    try {
      const one = this.decode(bytes, message);
      if (one !== undefined) this.found.push(one);
    } catch (error) {
      // Read to the end all the same: a dump left half read makes the kernel refuse the next one.
      this.broken = { error };
    }
  }
}
