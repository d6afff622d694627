/** ipam show: calicoctl's three views. */
import { type IPPool, unwrap } from '../../api/index.ts';
import {
  affinityOf,
  allocationAt,
  allocationsOf,
  type IPAMBlock,
  ordinalOf,
  prefixOf,
} from '../../ipam/block.ts';
import { Records } from '../../ipam/records.ts';
import { Address } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { structured } from '../output/structured.ts';
import { box } from '../output/table.ts';
import { type BlockUsage, isBorrowed, type Usage, usageOf } from '../resources/usage.ts';
import { withStore } from '../store.ts';
import type { ipamShowTable } from '../tables/ipam.ts';

type ShowArguments = Arguments<typeof ipamShowTable>;

export const ipamShow: Action<ShowArguments> = async (args, terminal) => {
  const chosen = [args.ip !== undefined, args['show-blocks'], args['show-borrowed']].filter(Boolean).length;
  if (chosen > 1) throw new UsageError('give one of --ip, --show-blocks and --show-borrowed');
  const address = args.ip === undefined ? undefined : Address.parse(args.ip);
  if (args.ip !== undefined && address === undefined)
    throw new UsageError(`--ip ${args.ip} is not an IP address`);
  const text = await withStore(args, terminal, async ({ store, client }) => {
    const blocks = (await new Records(store).blocks()).map(({ value }) => value);
    if (address !== undefined) return showAddress(blocks, address, args.output);
    if (args['show-borrowed']) return showBorrowed(blocks, args.output);
    return showUsage(unwrap(await client.list('IPPool')), blocks, args);
  });
  terminal.out(text);
  return EXIT.ok;
};

function showAddress(blocks: readonly IPAMBlock[], address: Address, output: string): string {
  const block = blocks.find(({ cidr }) => prefixOf(cidr).contains(address));
  const found =
    block === undefined ? undefined : allocationAt(block, ordinalOf(prefixOf(block.cidr), address));
  const value = {
    ip: address.toString(),
    inUse: found !== undefined,
    ...(block === undefined ? {} : { block: block.cidr, owner: affinityOf(block) ?? null }),
    ...(found === undefined ? {} : { handle: found.handle ?? null, attributes: found.attributes }),
  };
  const text = structured(value, output);
  if (text !== undefined) return text;
  if (found === undefined) return `${value.ip} is not assigned\n`;
  const attributes = Object.entries(found.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `IP ${value.ip} is in use`,
    `Handle ID: ${found.handle ?? '<none>'}`,
    attributes.length === 0 ? 'No attributes defined' : 'Attributes:',
    ...attributes.map(([key, text]) => `  ${key}: ${text}`),
    '',
  ].join('\n');
}

function showBorrowed(blocks: readonly IPAMBlock[], output: string): string {
  const rows = blocks.flatMap((block) => {
    const owner = affinityOf(block);
    return allocationsOf(block).flatMap(({ ordinal, attributes }) => {
      const { node, namespace, pod, type } = attributes;
      if (node === undefined || !isBorrowed(owner, node)) return [];
      return [
        {
          ip: prefixOf(block.cidr).nth(ordinal).toString(),
          node,
          block: block.cidr,
          owner: owner ?? '',
          type: pod === undefined ? (type ?? '') : 'pod',
          allocatedTo: pod === undefined ? '' : `${namespace}/${pod}`,
        },
      ];
    });
  });
  return (
    structured(rows, output) ??
    box(
      ['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'],
      rows.map((row) => [row.ip, row.node, row.block, row.owner, row.type, row.allocatedTo]),
    )
  );
}

function showUsage(pools: readonly IPPool[], blocks: readonly IPAMBlock[], args: ShowArguments): string {
  const usage = usageOf(pools, blocks);
  const text = structured(plain(usage), args.output);
  if (text !== undefined) return text;
  const withOwner = args['show-blocks'];
  const rows = usage.pools.flatMap((pool) => [
    row('IP Pool', pool, withOwner ? pool.pool : undefined),
    ...(withOwner ? pool.blocks.map(blockRow) : []),
  ]);
  if (withOwner) rows.push(...usage.orphans.map(blockRow));
  const headings = [
    'GROUPING',
    'CIDR',
    'IPS TOTAL',
    'IPS IN USE',
    'IPS FREE',
    ...(withOwner ? ['OWNER'] : []),
  ];
  return box(headings, rows, ['left', 'left', 'right', 'right', 'right', 'left']);
}

function blockRow(block: BlockUsage): string[] {
  const borrowed = block.borrowed === 0 ? '' : ` (${block.borrowed} lent)`;
  return row('Block', block, `${block.owner ?? 'nobody'}${borrowed}`);
}

function row(grouping: string, { cidr, total, inUse }: Usage, owner: string | undefined): string[] {
  const share = (count: bigint): string =>
    `${amount(count)} (${Math.round((100 * Number(count)) / Number(total))}%)`;
  return [
    grouping,
    cidr,
    amount(total),
    share(inUse),
    share(total - inUse),
    ...(owner === undefined ? [] : [owner]),
  ];
}

/** Five significant digits, as Go's `%.5g` writes them: `65536`, `1.0486e+06`. */
export function amount(count: bigint): string {
  if (count < 100_000n) return count.toString();
  const [mantissa = '', exponent = '0'] = Number(count).toExponential(4).split('e+');
  return `${mantissa.replace(/\.?0+$/, '')}e+${exponent.padStart(2, '0')}`;
}

/** IPv6 pools hold more addresses than a JSON number; programs get decimal text. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner)),
  );
}
