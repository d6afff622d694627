/**
 * For tests of failures that a real kernel does not offer on demand: one table in memory with the semantics of
 * `iptables-restore --noflush`. The happy path is tested on the real one (test/felix).
 */
import { CommandError, type iptables } from '../../../net/kernel/index.ts';
import type { IptablesIo } from './table.ts';

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

  write(_version: 4 | 6, _table: string, steps: readonly iptables.RestoreStep[]): Promise<void> {
    this.writes++;
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

export function commandError(stderr: string): CommandError {
  return new CommandError({ code: 'COMMAND_FAILED', what: stderr, remedy: '' }, ['iptables-restore'], {
    exitCode: 2,
    stderr,
  });
}
