/** ipam split: one pool becomes several. Blocks lie in the same addresses as before, now in a smaller pool. */
import { fail, type IPPool, type Problem, type Result, ok, unwrap } from '../../api/index.ts';
import { isLocked } from '../../datastore/migrate/index.ts';
import type { ResourceChange } from '../../datastore/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { withStore } from '../store.ts';
import type { ipamSplitTable } from '../tables/ipam.ts';

/** Of blocks, where the pool names no size. */
const BLOCK_LENGTH = { 4: 26, 6: 122 } as const;
const MOST = 1024;

export const ipamSplit: Action<Arguments<typeof ipamSplitTable>> = async (args, terminal) => {
  const count = Number(args.number);
  const bits = Math.log2(count);
  if (!Number.isInteger(count) || count < 2 || count > MOST || !Number.isInteger(bits))
    throw new UsageError(`${args.number} is no power of two from 2 to ${MOST}`);
  if ((args.cidr === undefined) === (args.name === undefined))
    throw new UsageError('name the pool either with --cidr or with --name');
  const names = await withStore(args, terminal, async ({ client, store }) => {
    if (!(await isLocked(store))) unwrap(fail(notLocked()));
    const pool = unwrap(choose(unwrap(await client.list('IPPool')), args));
    const parts = unwrap(partsOf(pool, bits));
    const changes: ResourceChange[] = [
      { type: 'delete', kind: 'IPPool', name: pool.metadata.name },
      ...parts.map((resource): ResourceChange => ({ type: 'create', resource })),
    ];
    unwrap(await client.change(changes));
    return parts.map(({ metadata, spec }) => `${metadata.name} (${spec.cidr})`);
  });
  terminal.out(`Successfully split the pool into ${names.join(', ')}\n`);
  return EXIT.ok;
};

function choose(
  pools: readonly IPPool[],
  { cidr, name }: { readonly cidr: string | undefined; readonly name: string | undefined },
): Result<IPPool> {
  const wanted = cidr === undefined ? undefined : Prefix.parse(cidr)?.toString();
  const pool = pools.find(({ metadata, spec }) =>
    cidr === undefined ? metadata.name === name : spec.cidr === wanted,
  );
  return pool === undefined ? fail(unknown(cidr ?? name ?? '')) : ok(pool);
}

/** Pure. Everything of the pool but its identity and its addresses. */
export function partsOf(pool: IPPool, bits: number): Result<IPPool[]> {
  const { name, labels, annotations } = pool.metadata;
  const cidr = Prefix.parse(pool.spec.cidr)!;
  const length = cidr.length + bits;
  const blockLength = pool.spec.blockSize ?? BLOCK_LENGTH[cidr.version];
  if (length > blockLength) return fail(tooSmall(pool, blockLength));
  const width = (cidr.version === 4 ? 32 : 128) - length;
  return ok(
    Array.from({ length: 2 ** bits }, (_, index) => ({
      ...pool,
      metadata: {
        name: `split-${name}-${index}`,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      spec: {
        ...pool.spec,
        cidr: Prefix.of(cidr.address.add(BigInt(index) << BigInt(width)), length).toString(),
      },
    })),
  );
}

function notLocked(): Problem {
  return {
    code: 'STORE_NOT_LOCKED',
    what: 'the datastore is not locked: a node could claim a block of the pool meanwhile',
    remedy: 'poplin datastore migrate lock, split, and unlock',
  };
}

function unknown(pool: string): Problem {
  return {
    code: 'POOL_UNKNOWN',
    value: pool,
    what: `there is no IPPool ${pool}`,
    remedy: 'name one of those that poplin get ippools shows',
  };
}

function tooSmall({ metadata, spec }: IPPool, blockLength: number): Problem {
  return {
    code: 'POOL_TOO_SMALL',
    resource: `IPPool/${metadata.name}`,
    what: `${spec.cidr} cannot be split so often: each part must hold a block, a /${blockLength}`,
    remedy: 'split it into fewer pools',
  };
}
