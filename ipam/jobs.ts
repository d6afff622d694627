/** What callers ask of IPAM, waiting to be done together with what others ask at the same time. */
import { ok, type Problem, type Result } from '../api/index.ts';
import type { Address, IpVersion, Prefix } from '../net/addr/index.ts';
import type { Owner } from './block.ts';
import type { PoolSelection } from './pools.ts';

/** The part of an assignment that is of one IP version. */
export interface Want {
  readonly version: IpVersion;
  readonly count: number;
  /** Held by the handle for certain. */
  readonly found: Address[];
  /** This very one, reserved or not. */
  readonly address?: Address;
  /** One block to have at hand, with no address of it. */
  readonly block?: { cidr: Prefix | undefined };
}

class Job<T> {
  readonly handle: string;
  readonly outcome: Promise<T>;
  readonly #settle: PromiseWithResolvers<T> = Promise.withResolvers<T>();
  #isSettled = false;

  constructor(handle: string) {
    this.handle = handle;
    this.outcome = this.#settle.promise;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  protected settle(value: T): void {
    this.#isSettled = true;
    this.#settle.resolve(value);
  }

  /** The store cannot be reached, or is too busy. */
  abandon(error: unknown): void {
    this.#isSettled = true;
    this.#settle.reject(error);
  }
}

/** All that is wanted, or a problem; what was found before that is then still held by the handle. */
export class TakeJob extends Job<Result<void>> {
  /** Of blocks: `host:<node>` or `virtual:<name>`. */
  readonly claimant: string;
  readonly owner: Owner;
  readonly selection: PoolSelection;
  readonly wants: readonly Want[];

  constructor(claimant: string, owner: Owner, selection: PoolSelection, wants: readonly Want[]) {
    super(owner.handle);
    this.claimant = claimant;
    // Kept with the block in memory: what the caller does to it later must not reach that.
    this.owner = { handle: owner.handle, attributes: { ...owner.attributes } };
    this.selection = selection;
    this.wants = wants;
  }

  get isComplete(): boolean {
    return this.wants.every(
      ({ count, found, block }) =>
        found.length === count && (block === undefined || block.cidr !== undefined),
    );
  }

  complete(): void {
    this.settle(ok(undefined));
  }

  refuse(problems: readonly Problem[]): void {
    this.settle({ ok: false, problems });
  }
}

/** All that a handle holds. */
export class FreeJob extends Job<Address[]> {
  readonly freed: Address[] = [];

  complete(): void {
    this.settle(this.freed);
  }
}

export type AnyJob = TakeJob | FreeJob;
