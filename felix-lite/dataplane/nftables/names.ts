/**
 * Names inside our tables, as Calico's nftables mode has them: one table `calico` for each family, in which the kernel's
 * tables are prefixes (`filter-cali-FORWARD`), and sets without the colon that the nft tool cannot read.
 *
 * Two tables and not one of family inet: names are Calico's, no rule has to ask for the packet's family first, and a
 * transaction spans both all the same.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import type { BaseChain, NftChain, TableRef } from '../../../net/kernel/index.ts';
import type { HookName, TableName } from '../../rules/types.ts';

const TABLES: Readonly<Record<IpVersion, TableRef>> = {
  4: { family: 'ip', name: 'calico' },
  6: { family: 'ip6', name: 'calico' },
};

export function ourTable(version: IpVersion): TableRef {
  return TABLES[version];
}

export function layered(table: TableName, chainOrMap: string): string {
  return `${table}-${chainOrMap}`;
}

/** The way back; undefined for a name that is not of ours. */
export function unlayered(name: string): { readonly table: TableName; readonly name: string } | undefined {
  const dash = name.indexOf('-');
  const table = (['raw', 'mangle', 'nat', 'filter'] as const).find((each) => each === name.slice(0, dash));
  return table === undefined ? undefined : { table, name: name.slice(dash + 1) };
}

export function setOf(name: string): string {
  return name.replaceAll(':', '-');
}

/** As the kernel numbers the places at which iptables has its tables. */
const PRIORITIES: Readonly<Record<TableName, number>> = { raw: -300, mangle: -150, filter: 0, nat: -100 };
const SOURCE_NAT = 100;

export function baseChain(table: TableName, hook: HookName): NftChain {
  const lower = hook.toLowerCase();
  const known = (['prerouting', 'input', 'forward', 'output', 'postrouting'] as const).find(
    (each) => each === lower,
  );
  if (known === undefined) throw new RangeError(`no hook ${hook}`);
  const base: BaseChain = { type: typeOf(table, hook), hook: known, priority: priorityOf(table, hook) };
  return { name: layered(table, hook), base };
}

function typeOf(table: TableName, hook: HookName): BaseChain['type'] {
  if (table === 'nat') return 'nat';
  // A packet whose mark changes on its way out has to be routed again.
  return table === 'mangle' && hook === 'OUTPUT' ? 'route' : 'filter';
}

function priorityOf(table: TableName, hook: HookName): number {
  const source = table === 'nat' && (hook === 'POSTROUTING' || hook === 'INPUT');
  return source ? SOURCE_NAT : PRIORITIES[table];
}
