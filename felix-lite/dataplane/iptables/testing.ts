/**
 * For tests of failures that a real kernel does not offer on demand: one table in memory with the semantics of
 * `iptables-restore --noflush`. The happy path is tested on the real one (test/felix).
 */
import { CommandError, type iptables } from '../../../net/kernel/index.ts';
import type { IptablesIo, LoadPart, TableSteps } from './table.ts';

export class MemoryKernel implements IptablesIo {
  readonly chains = new Map<string, string[]>([['FORWARD', []]]);
  writes = 0;
  reads = 0;
  /** Rules that it does not take. */
  refuses = /(?!)/;
  /** Whether the error names the line, as the nft tool does, or the COMMIT, as the legacy one. */
  namesLine = true;
  /** Thrown by the next writes, as when another program holds the lock. */
  readonly failures: Error[] = [];

  read(): Promise<iptables.SavedChain[]> {
    this.reads++;
    return Promise.resolve([...this.chains].map(([name, rules]) => ({ name, rules: [...rules] })));
  }

  write(_version: 4 | 6, tables: readonly TableSteps[]): Promise<void> {
    this.writes++;
    const steps = tables.flatMap((each) => each.steps);
    const failure = this.failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const copy = new Map([...this.chains].map(([name, rules]) => [name, [...rules]]));
    for (const [index, step] of steps.entries()) {
      const why = this.#step(copy, step);
      if (why === undefined) continue;
      const line = this.namesLine ? index + 2 : steps.length + 2;
      return Promise.reject(commandError(`iptables-restore v1.8.9: line ${line}: ${why}`));
    }
    this.chains.clear();
    for (const [name, rules] of copy) this.chains.set(name, rules);
    return Promise.resolve();
  }

  async load(version: 4 | 6, parts: AsyncIterable<LoadPart>): Promise<void> {
    for await (const part of transactions(parts)) await this.write(version, [part]);
  }

  #step(chains: Map<string, string[]>, step: iptables.RestoreStep): string | undefined {
    if (step.op === 'make') {
      chains.set(step.chain, []);
      return undefined;
    }
    const rules = chains.get(step.chain);
    if (rules === undefined) return `No chain ${step.chain}`;
    switch (step.op) {
      case 'append':
      case 'insert': {
        const target = /--(?:jump|goto) (cali-\S+)$/.exec(step.rule)?.[1];
        if (target !== undefined && !chains.has(target)) return `No chain ${target} to jump to`;
        if (this.refuses.test(step.rule)) return 'RULE_APPEND failed (Invalid argument)';
        rules.splice(step.op === 'append' ? rules.length : (step.position ?? 1) - 1, 0, step.rule);
        return undefined;
      }
      case 'delete': {
        const index = rules.indexOf(step.rule);
        if (index < 0) return 'Bad rule (does a matching rule exist in that chain?)';
        rules.splice(index, 1);
        return undefined;
      }
      case 'delete-at':
        return rules.splice(step.position - 1, 1).length === 1 ? undefined : 'Index of deletion too big';
      case 'flush':
        rules.length = 0;
        return undefined;
      case 'remove': {
        const used = [...chains.values()].flat().some((rule) => rule.endsWith(` ${step.chain}`));
        if (rules.length > 0 || used) return 'CHAIN_DEL failed (Device or resource busy)';
        chains.delete(step.chain);
        return undefined;
      }
      default:
        return `no ${step.op} here`;
    }
  }
}

/** All tables of both families, each a {@link MemoryKernel} with the chains that the kernel makes itself. */
export class MemoryTables implements IptablesIo {
  readonly tables = new Map<string, MemoryKernel>();
  reads = 0;
  /** Tables of each transaction that was tried: `4 raw,4 mangle`. */
  readonly writes: string[] = [];
  /** Thrown by the next writes. */
  readonly failures: Error[] = [];
  /** Commits chains that nothing leads to yet, as we have the nft tool do. */
  divided = false;
  readonly #make: () => MemoryKernel;

  constructor(kernel: Partial<Pick<MemoryKernel, 'refuses' | 'namesLine'>> = {}) {
    this.#make = () => Object.assign(new MemoryKernel(), kernel);
  }

  table(version: 4 | 6, name: string): MemoryKernel {
    const key = `${version} ${name}`;
    const present = this.tables.get(key);
    if (present !== undefined) return present;
    const made = this.#make();
    for (const chain of ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'])
      made.chains.set(chain, []);
    this.tables.set(key, made);
    return made;
  }

  read(version: 4 | 6, table: string): Promise<iptables.SavedChain[]> {
    this.reads++;
    return this.table(version, table).read();
  }

  async write(version: 4 | 6, tables: readonly TableSteps[]): Promise<void> {
    this.writes.push(tables.map(({ table }) => `${version} ${table}`).join());
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    for (const each of tables) await this.table(version, each.table).write(version, [each]);
  }

  async load(version: 4 | 6, parts: AsyncIterable<LoadPart>): Promise<void> {
    const index = this.writes.push(String(version)) - 1;
    for await (const each of transactions(parts, this.divided)) {
      this.writes[index] += ` ${each.table}`;
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      await this.table(version, each.table).write(version, [each]);
    }
  }
}

/** One after the other; of the last nothing where there is no commit. */
async function* transactions(parts: AsyncIterable<LoadPart>, divided = false): AsyncGenerator<TableSteps> {
  let steps: iptables.RestoreStep[] = [];
  for await (const part of parts) {
    steps.push(...part.steps);
    if (part.end === 'inside' || (part.end === 'unreached' && !divided)) continue;
    yield { table: part.table, steps };
    steps = [];
  }
}

export function commandError(stderr: string): CommandError {
  return new CommandError({ code: 'COMMAND_FAILED', what: stderr, remedy: '' }, ['iptables-restore'], {
    exitCode: 2,
    stderr,
  });
}
