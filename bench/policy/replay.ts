/**
 * The floor of nf_tables: the very transactions that Poplin made, made once more by bare netlink in a namespace that is
 * brought to the same state by the ones before. Nothing of policy is computed; what is left is encoding and the kernel.
 */
import { type NftOperation, Nftables } from '../../net/kernel/index.ts';

interface Transaction {
  readonly operations: readonly NftOperation[];
  readonly echoes: boolean;
  /** Handles that the kernel gave to new rules, by the place of the operation. */
  handles: ReadonlyMap<number, bigint>;
}

/** Listens to every transaction of this process until {@link stop}. */
export class Recording {
  readonly #transactions: Transaction[] = [];
  /** How many transactions there were before each mark. */
  readonly #marks: number[] = [];
  readonly stop: () => void;

  constructor() {
    const own = Object.getOwnPropertyDescriptor(Nftables.prototype, 'commit');
    const commit: Nftables['commit'] | undefined = own?.value;
    if (own === undefined || commit === undefined) throw new Error('Nftables has no commit of its own');
    const transactions = this.#transactions;
    Nftables.prototype.commit = async function recorded(this: Nftables, operations, options) {
      const transaction: Transaction = {
        operations,
        echoes: options?.handles ?? true,
        handles: new Map(),
      };
      const committed = await commit.call(this, operations, options);
      transaction.handles = committed.handles;
      transactions.push(transaction);
      return committed;
    };
    this.stop = () => Object.defineProperty(Nftables.prototype, 'commit', own);
  }

  /** What follows is another change. */
  mark(): void {
    this.#marks.push(this.#transactions.length);
  }

  /** What came before the first mark, and then change by change. */
  changes(): readonly (readonly Transaction[])[] {
    const ends = [...this.#marks, this.#transactions.length];
    return ends.map((end, index) => this.#transactions.slice(index === 0 ? 0 : ends[index - 1], end));
  }
}

/**
 * @param pause  between two changes, as there was when they were recorded
 * @returns milliseconds that each change took
 */
export async function replay(
  netns: string,
  changes: readonly (readonly Transaction[])[],
  pause: () => Promise<void>,
): Promise<readonly number[]> {
  using nft = Nftables.open({ netns });
  const handles = new Map<string, bigint>();
  const ms: number[] = [];
  for (const transactions of changes) {
    let took = 0;
    for (const { operations, echoes, handles: recorded } of transactions) {
      const here = operations.map((operation) =>
        operation.op === 'delete-rule'
          ? { ...operation, handle: handles.get(nameOf(operation, operation.handle)) ?? operation.handle }
          : operation,
      );
      const began = performance.now();
      const committed = await nft.commit(here, { handles: echoes });
      took += performance.now() - began;
      for (const [index, was] of recorded) {
        const [operation, is] = [operations[index], committed.handles.get(index)];
        if (operation !== undefined && is !== undefined) handles.set(nameOf(operation, was), is);
      }
    }
    ms.push(took);
    await pause();
  }
  return ms;
}

/** Handles are counted in each table for itself. */
function nameOf({ table }: NftOperation, handle: bigint): string {
  return `${table.family} ${table.name} ${handle}`;
}
