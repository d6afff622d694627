/**
 * nf_tables of one network namespace: transactions, and lists of what the kernel holds.
 *
 * A transaction is all or nothing, over as many tables and families as it names, and packets see its rules at once. Not
 * so its elements of sets with ranges: on Linux 6.18 packets were seen that met the new rule and not yet the new range
 * (one in a hundred, when a rule and the set that it looks into came in one transaction). Who needs both at once puts
 * the elements into a transaction before the rule's.
 */
import { PoplinError } from '../../../../api/problem.ts';
import { errnoName, errnoText, isKernelError, KernelError } from '../../errors.ts';
import { type Message, MessageWriter, NLMSG_ERROR, readVerdict } from '../message.ts';
import { NETLINK_NETFILTER, RequestSocket } from '../socket.ts';
import {
  decodeChain,
  decodeElements,
  decodeGeneration,
  decodeHandle,
  decodePlace,
  decodeRule,
  decodeSet,
  encodeBatchBegin,
  encodeBatchEnd,
  encodeChain,
  encodeChainDelete,
  encodeDump,
  encodeElements,
  encodeGenerationQuery,
  encodeRule,
  encodeRuleDelete,
  encodeSet,
  encodeSetDelete,
  encodeSetFlush,
  encodeTable,
  isTable,
  joinElements,
  type ListedSet,
  MESSAGE,
  NLM_F_ECHO,
} from './messages.ts';
import type { ListedRule, NftChain, NftElement, NftFamily, NftOperation, TableRef } from './model.ts';

/** A whole transaction is one send. Memory is taken as needed, up to this. */
const SEND_BUFFER = 128 * 1024 * 1024;
const RECEIVE_BUFFER = 32 * 1024 * 1024;
/** Some hundred rules or elements, for which the kernel takes a millisecond or three. */
const AT_ONCE = 64 * 1024;

export interface Committed {
  /** The kernel's count of transactions, as this one left it. */
  readonly generation: number;
  /** Of each `add-rule`, by its place among the operations; missing where the kernel did not tell. */
  readonly handles: ReadonlyMap<number, bigint>;
}

/** A transaction that the kernel refused; nothing of it was done. */
export class NftError extends PoplinError {
  /** As in errno.h. */
  readonly errno: number;
  readonly code: string;
  /** The operations that it refused, by their place; empty where it refused the whole. */
  readonly refused: readonly number[];

  constructor(errno: number, refused: readonly number[], what: string, detail: string | undefined) {
    const told = detail === undefined ? errnoText(errno) : `${errnoText(errno)} (${detail})`;
    super([
      {
        code: `NFTABLES_${errnoName(errno).replaceAll(' ', '_').toUpperCase()}`,
        what: `nftables ${what}: ${errnoName(errno)}, ${told}`,
        remedy:
          errnoName(errno) === 'EPERM'
            ? 'run as root (CAP_NET_ADMIN is needed)'
            : 'compare with what `nft list ruleset` shows',
        value: errno,
      },
    ]);
    this.errno = errno;
    this.code = errnoName(errno);
    this.refused = refused;
  }
}

export class Nftables {
  readonly #socket: RequestSocket;

  private constructor(netns: string | undefined) {
    this.#socket = new RequestSocket(netns, NETLINK_NETFILTER, {
      receive: RECEIVE_BUFFER,
      send: SEND_BUFFER,
    });
  }

  /** @throws KernelError without permission; the file system's error when the namespace is gone */
  static open(options: { readonly netns?: string | undefined } = {}): Nftables {
    return new Nftables(options.netns);
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Carries out all operations, in order, or none.
   *
   * @param options.handles  ask for the handles of new rules; default true. The kernel counts them up in each table, one for
   *   each thing that is made, so of rules behind one another it is asked for the first and the last
   * @throws NftError when the kernel refuses, with every operation that it refused
   */
  async commit(
    operations: readonly NftOperation[],
    { handles: wanted = true }: { readonly handles?: boolean } = {},
  ): Promise<Committed> {
    const runs = wanted ? runsOfRules(operations) : [];
    const { writer, operationOf } = encodeTransaction(operations, new Set(runs.flat()));
    const told = new Map<number, bigint>();
    let generation = 0;
    const refusals: {
      readonly errno: number;
      readonly message: number;
      readonly text: string | undefined;
    }[] = [];
    const hear = (index: number, bytes: Buffer, message: Message): void => {
      if (message.type === NLMSG_ERROR) {
        const { errno, text } = readVerdict(bytes, message);
        if (errno !== 0) refusals.push({ errno, message: index, text });
      } else if (message.type === MESSAGE.generation) generation = decodeGeneration(bytes, message).id;
      else if (message.type === MESSAGE.rule) {
        const operation = operationOf[index];
        if (operation !== undefined) told.set(operation, decodeHandle(bytes, message));
      }
    };
    await this.#socket.burst(writer, hear, { atOnce: AT_ONCE });
    const [first] = refusals;
    if (first === undefined) return { generation, handles: handlesBetween(runs, told) };
    const refused = [...new Set(refusals.map(({ message }) => operationOf[message]))].filter(
      (each) => each !== undefined,
    );
    const [place] = refused;
    const operation = place === undefined ? undefined : operations[place];
    const what = operation === undefined ? 'transaction' : describe(operation);
    throw new NftError(first.errno, refused, what, first.text);
  }

  /**
   * What the kernel would say to these operations, in order. Nothing is done and nothing is seen to have been tried: the
   * transaction has no end, and the kernel undoes what it has checked.
   *
   * @returns the names of errors (`EOPNOTSUPP`), by the place of the operation; empty where it would take them all
   * @throws KernelError where it has no nf_tables at all
   */
  async refusals(operations: readonly NftOperation[]): Promise<ReadonlyMap<number, string>> {
    const { writer, operationOf } = encodeTransaction(operations, NO_ECHOES, false);
    const refused = new Map<number, string>();
    let whole: number | undefined;
    await this.#socket.burst(writer, (index, bytes, message) => {
      if (message.type !== NLMSG_ERROR) return;
      const { errno } = readVerdict(bytes, message);
      const operation = operationOf[index];
      if (errno === 0) return;
      if (operation === undefined) whole = errno;
      else if (!refused.has(operation)) refused.set(operation, errnoName(errno));
    });
    if (whole !== undefined) throw new KernelError(whole, 'nf_tables');
    return refused;
  }

  /** Names of the tables of a family. */
  async listTables(family: NftFamily): Promise<readonly string[]> {
    const tables = await this.#dump(
      'NFT_MSG_GETTABLE',
      (w) => encodeDump(w, 'tables', { family, name: '' }),
      (bytes, message) => (message.type === MESSAGE.table ? decodePlace(bytes, message) : undefined),
    );
    // Old kernels pass over the wish for one family.
    return tables
      .filter((each) => isTable({ family, name: each.table }, each.family, each.table))
      .map(({ table }) => table);
  }

  async listChains(table: TableRef): Promise<readonly NftChain[]> {
    const chains = await this.#dump('NFT_MSG_GETCHAIN', (w) => encodeDump(w, 'chains', table), decodeChain);
    return chains.filter((each) => each.table === table.name).map(({ chain }) => chain);
  }

  /** In their order inside each chain. */
  async listRules(table: TableRef, chain?: string): Promise<readonly ListedRule[]> {
    const rules = await this.#dump(
      'NFT_MSG_GETRULE',
      (w) => encodeDump(w, 'rules', table, chain),
      decodeRule,
    );
    // Old kernels pass over the wish for one table.
    return rules
      .filter((each) => each.table === table.name)
      .map(({ rule }) => rule)
      .filter((rule) => chain === undefined || rule.chain === chain);
  }

  async listSets(table: TableRef): Promise<readonly ListedSet[]> {
    const sets = await this.#dump('NFT_MSG_GETSET', (w) => encodeDump(w, 'sets', table), decodeSet);
    return sets.filter((set) => set.table === table.name);
  }

  async listElements(table: TableRef, set: string): Promise<readonly NftElement[]> {
    const parts = await this.#dump(
      'NFT_MSG_GETSETELEM',
      (w) => encodeDump(w, 'elements', table, set),
      decodeElements,
    );
    return joinElements(parts.flat());
  }

  /** The kernel's count of transactions: equal now and later means that nobody has changed anything. */
  async generation(): Promise<number> {
    let generation = 0;
    await this.#socket.request('NFT_MSG_GETGEN', encodeGenerationQuery, (bytes, message) => {
      if (message.type === MESSAGE.generation) generation = decodeGeneration(bytes, message).id;
    });
    return generation;
  }

  /** Nothing, where there is no such table or set. */
  async #dump<T>(...question: Parameters<typeof RequestSocket.prototype.dump<T>>): Promise<readonly T[]> {
    try {
      return await this.#socket.dump(...question);
    } catch (error) {
      if (isKernelError(error, 'ENOENT')) return [];
      throw error;
    }
  }
}

const NO_ECHOES: ReadonlySet<number> = new Set();

/** First and last place of new rules of one table with nothing else of that table that is made in between. */
type Run = readonly [number, number];

function runsOfRules(operations: readonly NftOperation[]): readonly Run[] {
  const runs: Run[] = [];
  let from: number | undefined;
  let last = 0;
  const close = (): void => {
    if (from !== undefined) runs.push([from, last]);
    from = undefined;
  };
  for (const [index, { op, table }] of operations.entries()) {
    if (op !== 'add-rule') {
      close();
      continue;
    }
    const before = operations[last]?.table;
    if (from !== undefined && (before?.name !== table.name || before.family !== table.family)) close();
    from ??= index;
    last = index;
  }
  close();
  return runs;
}

/** @param told  of the first and the last rule of each run; who counts otherwise than expected tells of no others */
function handlesBetween(
  runs: readonly Run[],
  told: ReadonlyMap<number, bigint>,
): ReadonlyMap<number, bigint> {
  const handles = new Map(told);
  for (const [first, last] of runs) {
    const [from, to] = [told.get(first), told.get(last)];
    if (from === undefined || to === undefined || to - from !== BigInt(last - first)) continue;
    for (let index = first + 1; index < last; index++) handles.set(index, from + BigInt(index - first));
  }
  return handles;
}

/**
 * Messages of the transaction, and for each the operation that it belongs to. Without its end the kernel only checks it.
 *
 * @param echoes  places of new rules to be told of, handle and all
 */
export function encodeTransaction(
  operations: readonly NftOperation[],
  echoes: ReadonlySet<number>,
  ends = true,
): { readonly writer: MessageWriter; readonly operationOf: readonly (number | undefined)[] } {
  const writer = new MessageWriter(4096);
  const operationOf: (number | undefined)[] = [];
  let id = 0;
  encodeBatchBegin(writer);
  operationOf.push(undefined);
  for (const [index, operation] of operations.entries()) {
    encodeOperation(writer, operation, () => ++id, echoes.has(index));
    while (operationOf.length < writer.count) operationOf.push(index);
  }
  if (!ends) return { writer, operationOf };
  encodeBatchEnd(writer);
  // The kernel tells the generation it made to whoever wanted an echo of the message behind the beginning.
  if (operations.length > 0) writer.addFlags(1, NLM_F_ECHO);
  return { writer, operationOf };
}

function encodeOperation(
  w: MessageWriter,
  operation: NftOperation,
  nextId: () => number,
  echo: boolean,
): void {
  const { table } = operation;
  switch (operation.op) {
    case 'add-table':
      return encodeTable(w, 'add', table);
    case 'delete-table':
      return encodeTable(w, 'delete', table);
    case 'add-chain':
      return encodeChain(w, table, operation.chain);
    case 'delete-chain':
      return encodeChainDelete(w, table, operation.chain);
    case 'flush-chain':
      return encodeRuleDelete(w, table, operation.chain);
    case 'add-rule':
      return encodeRule(w, table, operation.rule, echo);
    case 'delete-rule':
      return encodeRuleDelete(w, table, operation.chain, operation.handle);
    case 'add-set':
      return encodeSet(w, table, operation.set, nextId());
    case 'delete-set':
      return encodeSetDelete(w, table, operation.set);
    case 'flush-set':
      return encodeSetFlush(w, table, operation.set);
    case 'add-elements':
    case 'delete-elements': {
      const op = operation.op === 'add-elements' ? 'add' : 'delete';
      return encodeElements(w, op, table, operation.set, operation.elements);
    }
  }
}

function describe(operation: NftOperation): string {
  const where = `${operation.table.family} ${operation.table.name}`;
  switch (operation.op) {
    case 'add-table':
    case 'delete-table':
      return `${operation.op} ${where}`;
    case 'add-chain':
      return `${operation.op} ${where} ${operation.chain.name}`;
    case 'delete-chain':
    case 'flush-chain':
    case 'delete-rule':
      return `${operation.op} ${where} ${operation.chain}`;
    case 'add-rule':
      return `${operation.op} ${where} ${operation.rule.chain} "${operation.rule.comment ?? ''}"`;
    case 'add-set':
      return `${operation.op} ${where} ${operation.set.name}`;
    case 'delete-set':
    case 'flush-set':
    case 'add-elements':
    case 'delete-elements':
      return `${operation.op} ${where} ${operation.set}`;
  }
}
