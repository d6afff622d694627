/** Addresses outside that the same rules name. Pure. */
import { Address, Prefix } from '../../../net/addr/index.ts';
import type { World } from '../world.ts';
import { type Group, newGroup, type Peers } from './group.ts';
import { isEndpoint, type Nets, strangers } from './seen.ts';

/** More addresses outside are not looked at one by one. */
const OUTSIDE = 500;

export interface OutsidePeers {
  readonly peers: readonly Peers[];
  /** Addresses that rules name and that were left out. */
  readonly left: number;
}

/** One address for each prefix that rules or sets name and no smaller one covers, and one that none of them names. */
export function outsidePeers(worlds: readonly [World, World], nets: Nets): OutsidePeers {
  const everything = ['0.0.0.0/0', '::/0']
    .map((text) => Prefix.parse(text))
    .filter((each) => each !== undefined);
  const ofSets = worlds.flatMap(({ parties }) =>
    parties.flatMap(({ name, prefixes }) => (/^(?:Global)?NetworkSet\//.test(name) ? prefixes : [])),
  );
  const wanted = unique([...everything, ...nets.all, ...ofSets]);
  const groups = new Map<string, Group>();
  const covers = wanted.slice(0, OUTSIDE);
  for (const net of covers) {
    const address = freeIn(net, covers, worlds);
    if (address === undefined) continue;
    const [before, after] = worlds.map((world) => strangers(world, address));
    const key = JSON.stringify([address.version, nets.holding(address), before, after]);
    const group = groups.get(key) ?? newGroup();
    groups.set(key, group);
    group.names.push(net.length === 0 ? `any other IPv${net.version} address` : net.toString());
    if (group.members.length === 0) group.members.push({ addresses: { [address.version]: address } });
  }
  return { peers: [...groups.values()], left: wanted.length - covers.length };
}

function unique(nets: readonly Prefix[]): readonly Prefix[] {
  return [...new Map(nets.map((net) => [net.toString(), net])).values()];
}

/** An address of the prefix that lies in no smaller one and is no endpoint's: the ends, and behind each smaller one. */
function freeIn(net: Prefix, nets: readonly Prefix[], worlds: readonly World[]): Address | undefined {
  const inside = nets.filter(
    (each) => each.version === net.version && each.length > net.length && net.contains(each.address),
  );
  const candidates = [
    net.address,
    net.last,
    ...inside.flatMap((each) => [behind(each.last), ahead(each.address)]),
  ];
  return candidates.find(
    (address) =>
      address !== undefined &&
      net.contains(address) &&
      !inside.some((each) => each.contains(address)) &&
      !worlds.some((world) => world.ownersOf(address).some(({ name }) => isEndpoint(name))),
  );
}

function behind(address: Address): Address | undefined {
  return shifted(address, 1n);
}

function ahead(address: Address): Address | undefined {
  return shifted(address, -1n);
}

function shifted(address: Address, by: bigint): Address | undefined {
  const value = address.toBigInt() + by;
  return value < 0n || value >= 1n << BigInt(address.bits)
    ? undefined
    : Address.fromBigInt(address.version, value);
}
