/** ipam show: calicoctl's four views. */
import { unwrap } from '../../api/index.ts';
import { type BlockView, type Holder, type IpamSettings, Reservations } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { structured } from '../output/structured.ts';
import { box } from '../output/table.ts';
import { type AllUsage, type BlockUsage, type Usage, usageOf } from '../resources/usage.ts';
import { ipamOf, withStore } from '../store.ts';
import type { ipamShowTable } from '../tables/ipam.ts';

type ShowArguments = Arguments<typeof ipamShowTable>;

export const ipamShow: Action<ShowArguments> = async (args, terminal) => {
  const chosen = [
    args.ip !== undefined,
    args['show-blocks'],
    args['show-borrowed'],
    args['show-configuration'],
  ].filter(Boolean).length;
  if (chosen > 1)
    throw new UsageError('give one of --ip, --show-blocks, --show-borrowed and --show-configuration');
  const address = args.ip === undefined ? undefined : Address.parse(args.ip);
  if (args.ip !== undefined && address === undefined)
    throw new UsageError(`--ip ${args.ip} is not an IP address`);
  const text = await withStore(args, terminal, async (open) => {
    const ipam = ipamOf(open);
    if (address !== undefined) return showAddress(address, await ipam.whoHas(address), args.output);
    if (args['show-configuration']) return showSettings(await ipam.settings(), args.output);
    const blocks = await ipam.blocks();
    if (args['show-borrowed']) return showBorrowed(blocks, args.output);
    const reservations = new Reservations(unwrap(await open.client.list('IPReservation')));
    return showUsage(usageOf(unwrap(await open.client.list('IPPool')), blocks, reservations), args);
  });
  terminal.out(text);
  return EXIT.ok;
};

/** The names that calicoctl prints. */
function showSettings(settings: IpamSettings, output: string): string {
  const rows = [
    ['StrictAffinity', settings.strictAffinity],
    ['AutoAllocateBlocks', settings.autoAllocateBlocks],
    ['MaxBlocksPerHost', settings.maxBlocksPerHost],
    ['IPCooldownSeconds', settings.ipCooldownSeconds],
  ] as const;
  return (
    structured(settings, output) ??
    box(
      ['PROPERTY', 'VALUE'],
      rows.map(([name, value]) => [name, String(value)]),
    )
  );
}

function showAddress(address: Address, holder: Holder | undefined, output: string): string {
  const ip = address.toString();
  const text = structured(
    holder === undefined
      ? { ip, inUse: false }
      : {
          ip,
          inUse: holder.releasedAt === undefined,
          pool: holder.pool ?? null,
          block: holder.block,
          owner: holder.affinity ?? null,
          handle: holder.handle ?? null,
          released: holder.releasedAt ?? null,
          attributes: holder.attributes,
        },
    output,
  );
  if (text !== undefined) return text;
  if (holder === undefined) return `${ip} is not assigned\n`;
  if (holder.releasedAt !== undefined)
    return `IP ${ip} was released at ${holder.releasedAt}, and cools down before it is given again\n`;
  const attributes = Object.entries(holder.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `IP ${ip} is in use`,
    `Handle ID: ${holder.handle ?? '<none>'}`,
    attributes.length === 0 ? 'No Active Owner attributes defined' : 'Active Owner Attributes:',
    ...attributes.map(([key, value]) => `  ${key}: ${value}`),
    '',
  ].join('\n');
}

function showBorrowed(blocks: readonly BlockView[], output: string): string {
  const rows = blocks.flatMap(({ cidr, affinity, allocations }) =>
    allocations
      .filter(({ borrowed }) => borrowed)
      .map(({ address, attributes: { node = '', namespace = '', pod, type = '' } }) => ({
        ip: address,
        node,
        block: cidr,
        owner: affinity ?? '',
        type: pod === undefined ? type : 'pod',
        allocatedTo: pod === undefined ? '' : `${namespace}/${pod}`,
      })),
  );
  return (
    structured(rows, output) ??
    box(
      ['IP', 'BORROWING-NODE', 'BLOCK', 'BLOCK OWNER', 'TYPE', 'ALLOCATED-TO'],
      rows.map((row) => [
        row.ip.toString(),
        row.node,
        row.block.toString(),
        row.owner,
        row.type,
        row.allocatedTo,
      ]),
    )
  );
}

function showUsage(usage: AllUsage, args: ShowArguments): string {
  const text = structured(usage, args.output);
  if (text !== undefined) return text;
  const withBlocks = args['show-blocks'];
  const rows = usage.pools.flatMap((pool) => [
    row('IP Pool', pool, withBlocks ? pool.pool : undefined),
    ...(withBlocks ? pool.blocks.map(blockRow) : []),
  ]);
  if (withBlocks) rows.push(...usage.orphans.map(blockRow));
  const headings = [
    'GROUPING',
    'CIDR',
    'IPS TOTAL',
    'IPS IN USE',
    'IPS RESERVED',
    'IPS FREE',
    'IPS COOLING',
    ...(withBlocks ? ['OWNER'] : []),
  ];
  return box(headings, rows, ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'left']);
}

function blockRow(block: BlockUsage): string[] {
  const lent = block.borrowed === 0 ? '' : ` (${block.borrowed} lent)`;
  return row('Block', block, `${block.owner ?? 'nobody'}${lent}`);
}

function row(grouping: string, { cidr, total, ...shares }: Usage, owner: string | undefined): string[] {
  const share = (count: bigint): string =>
    `${amount(count)} (${Math.round((100 * Number(count)) / Number(total))}%)`;
  const { inUse, reserved, free, cooling } = shares;
  const cells = [grouping, cidr.toString(), amount(total), ...[inUse, reserved, free, cooling].map(share)];
  return owner === undefined ? cells : [...cells, owner];
}

/** Five significant digits, as Go's `%.5g` writes them: `65536`, `1.0486e+06`. */
export function amount(count: bigint): string {
  if (count < 100_000n) return count.toString();
  const [mantissa = '', exponent = '0'] = Number(count).toExponential(4).split('e+');
  return `${mantissa.replace(/\.?0+$/, '')}e+${exponent.padStart(2, '0')}`;
}
