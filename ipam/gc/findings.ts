/** What the garbage collector would put right, and why: a function of the world alone. Pure. */
import type { Address } from '../../net/addr/index.ts';
import type { Entry } from '../../datastore/store.ts';
import { affinityOf, allocationsOf, type IPAMBlock, isEmpty, prefixOf } from '../block.ts';
import { holderVerdict } from './holders.ts';
import type { World } from './world.ts';

interface Common {
  /** The same for the same finding seen again; another as soon as anybody has written what it is about. */
  readonly id: string;
  /** For the log and for people. */
  readonly why: string;
}

export type Finding = Common &
  (
    | { readonly kind: 'endpoint'; readonly namespace: string; readonly name: string; readonly node: string }
    | {
        readonly kind: 'address';
        readonly address: Address;
        readonly cidr: string;
        readonly handle: string | undefined;
        readonly sequence: bigint | undefined;
        readonly node: string | undefined;
      }
    | { readonly kind: 'rested'; readonly cidr: string }
    | { readonly kind: 'handle'; readonly handle: string; readonly cidr: string | undefined }
    | { readonly kind: 'lost-affinity'; readonly owner: string; readonly cidr: string }
    | { readonly kind: 'stale-affinity'; readonly owner: string; readonly cidr: string }
    | { readonly kind: 'gone-node'; readonly owner: string; readonly node: string; readonly cidr: string }
    | { readonly kind: 'spare-block'; readonly owner: string; readonly cidr: string }
    | { readonly kind: 'nobodys-block'; readonly cidr: string }
  );

export type FindingKind = Finding['kind'];

/** In the order in which they are put right: users, addresses, counts, then blocks that are empty by then. */
export function findingsOf(world: World): Finding[] {
  return [...findingsByAndBy(world)].flat();
}

/** The same in pieces of little work each, for whoever has something else to do in between: a cluster has many blocks. */
export function* findingsByAndBy(world: World): Generator<readonly Finding[], void> {
  yield endpointsOfGoneNodes(world);
  for (const block of world.blocks) yield leakedAddresses(block.value, world);
  yield restedAddresses(world);
  yield* wrongHandles(world);
  yield lostAffinities(world);
  yield affinitiesToRelease(world);
  yield nobodysBlocks(world);
}

/** What the node agent of a node that left cannot remove any more. */
function endpointsOfGoneNodes({ endpoints, nodes }: World): Finding[] {
  return endpoints.flatMap(({ key, value, revision }): Finding[] => {
    const node = value.spec?.node;
    if (node === undefined || nodes.has(node)) return [];
    return [
      {
        kind: 'endpoint',
        id: `endpoint ${key.scope}/${key.name} ${revision}`,
        why: `node ${node} is gone`,
        namespace: key.scope,
        name: key.name,
        node,
      },
    ];
  });
}

function leakedAddresses(block: IPAMBlock, world: World): Finding[] {
  const prefix = prefixOf(block.cidr);
  return allocationsOf(block).flatMap(({ ordinal, handle, sequence, attributes }): Finding[] => {
    const address = prefix.nth(ordinal);
    const verdict = holderVerdict({ address, handle, attributes }, world);
    if (typeof verdict === 'string') return [];
    return [
      {
        kind: 'address',
        // One allocation, not the address: given again, even to the same handle, it has another sequence number.
        id: `address ${address.toString()} ${sequence ?? '-'} ${handle ?? ''}`,
        why: verdict.leaked,
        address,
        cidr: block.cidr,
        handle,
        sequence,
        node: attributes['node'],
      },
    ];
  });
}

/** Any write of their block frees them; a block that nobody writes would keep them, and itself, for ever. */
function restedAddresses({ blocks, rested }: World): Finding[] {
  return blocks.flatMap(({ value: { cidr }, revision }): Finding[] => {
    const count = rested.get(cidr) ?? 0;
    if (count === 0) return [];
    const addresses = count === 1 ? 'an address' : `${count} addresses`;
    const why = `${addresses} in it ${count === 1 ? 'was' : 'were'} released and rested long enough`;
    return [{ kind: 'rested', id: `rested ${cidr} ${revision}`, why, cidr }];
  });
}

function* wrongHandles({ blocks, handles, illFormed }: World): Generator<readonly Finding[], void> {
  const held = new Map<string, Map<string, number>>();
  for (const { value } of blocks) {
    countHandles(value, held);
    yield [];
  }
  for (const { key, value, revision } of handles) {
    const has = held.get(key.name) ?? new Map<string, number>();
    // What is left of it at the end has no object.
    held.delete(key.name);
    yield wrongCounts(key.name, value.block, has, revision).filter(
      ({ cidr }) => cidr === undefined || !illFormed.has(cidr),
    );
  }
  for (const [handle, counts] of held) {
    yield [...counts].map(([cidr, count]) => {
      const why = `it has ${count} addresses in ${cidr} and no object that says so`;
      return { kind: 'handle', id: `handle ${handle} ${cidr} -`, why, handle, cidr };
    });
  }
}

function countHandles(block: IPAMBlock, held: Map<string, Map<string, number>>): void {
  for (const index of block.allocations) {
    const handle = index === null ? undefined : block.attributes[index]?.handle_id;
    if (handle === undefined || handle === null) continue;
    const counts = held.get(handle) ?? new Map<string, number>();
    held.set(handle, counts.set(block.cidr, (counts.get(block.cidr) ?? 0) + 1));
  }
}

function wrongCounts(
  handle: string,
  counted: Readonly<Record<string, number>>,
  has: ReadonlyMap<string, number>,
  revision: string,
): Extract<Finding, { kind: 'handle' }>[] {
  const cidrs = new Set([...Object.keys(counted), ...has.keys()]);
  if (cidrs.size === 0)
    return [
      {
        kind: 'handle',
        id: `handle ${handle} ${revision}`,
        why: 'it counts no address',
        handle,
        cidr: undefined,
      },
    ];
  return [...cidrs]
    .filter((cidr) => (counted[cidr] ?? 0) !== (has.get(cidr) ?? 0))
    .map((cidr) => {
      const why = `it counts ${counted[cidr] ?? 0} addresses in ${cidr}, which has ${has.get(cidr) ?? 0} of it`;
      return { kind: 'handle', id: `handle ${handle} ${cidr} ${revision}`, why, handle, cidr };
    });
}

/** A block whose owner has no affinity to it is routed by nobody. */
function lostAffinities({ blocks, affinities }: World): Finding[] {
  const known = new Set(affinities.map(({ key }) => `${key.scope} ${key.name}`));
  return blocks.flatMap(({ value, revision }): Finding[] => {
    const owner = affinityOf(value);
    // A virtual owner's affinities are the business of whoever that is.
    if (owner === undefined || nodeOf(owner) === undefined || known.has(`${owner} ${value.cidr}`)) return [];
    return [
      {
        kind: 'lost-affinity',
        id: `lost-affinity ${owner} ${value.cidr} ${revision}`,
        why: `the block belongs to ${owner}, which has no affinity to it`,
        owner,
        cidr: value.cidr,
      },
    ];
  });
}

function affinitiesToRelease(world: World): Finding[] {
  const blocks = new Map(world.blocks.map((entry) => [entry.value.cidr, entry]));
  const busy = new Set(world.endpoints.map(({ value }) => value.spec?.node));
  const spare = spareBlocks(world.blocks);
  return world.affinities.flatMap((affinity): Finding[] => {
    const { scope: owner, name: cidr } = affinity.key;
    const block = blocks.get(cidr);
    const node = nodeOf(owner);
    if (node === undefined || world.illFormed.has(cidr)) return [];
    const id = `${owner} ${cidr} ${affinity.revision}`;
    if (block === undefined || affinityOf(block.value) !== owner) {
      const why = staleness(affinity, block);
      return [{ kind: 'stale-affinity', id: `stale-affinity ${id}`, why, owner, cidr }];
    }
    if (!world.nodes.has(node)) {
      // Its endpoints go first; what is routed to them until then stays routed.
      if (busy.has(node)) return [];
      return [{ kind: 'gone-node', id: `gone-node ${id}`, why: `node ${node} is gone`, owner, node, cidr }];
    }
    if (!spare.has(cidr)) return [];
    const why = `it is empty, and ${node} has another block`;
    return [{ kind: 'spare-block', id: `spare-block ${id} ${block.revision}`, why, owner, cidr }];
  });
}

function staleness({ value }: World['affinities'][number], block: Entry<IPAMBlock> | undefined): string {
  const holder = block === undefined ? 'does not exist' : `belongs to ${affinityOf(block.value) ?? 'nobody'}`;
  return `the affinity is ${value.state ?? 'confirmed'}, and its block ${holder}`;
}

/** Empty blocks of nodes that keep at least one block of the same IP version, the first where all are empty. */
function spareBlocks(blocks: readonly Entry<IPAMBlock>[]): ReadonlySet<string> {
  const groups = new Map<string, Entry<IPAMBlock>[]>();
  for (const entry of blocks) {
    const owner = affinityOf(entry.value);
    if (owner === undefined) continue;
    const group = `${owner} ${prefixOf(entry.value.cidr).version}`;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [entry]);
    else known.push(entry);
  }
  const spare = [...groups.values()].flatMap((group) => {
    const empty = group.filter(({ value }) => isEmpty(value));
    return empty.length < group.length ? empty : empty.slice(1);
  });
  return new Set(spare.map(({ value }) => value.cidr));
}

/** The last address of a block without owner takes the block with it; who died in between left it. */
function nobodysBlocks({ blocks }: World): Finding[] {
  return blocks
    .filter(({ value }) => affinityOf(value) === undefined && isEmpty(value))
    .map(({ value, revision }) => ({
      kind: 'nobodys-block',
      id: `nobodys-block ${value.cidr} ${revision}`,
      why: 'it is empty, and belongs to nobody',
      cidr: value.cidr,
    }));
}

export function nodeOf(owner: string): string | undefined {
  return owner.startsWith('host:') ? owner.slice('host:'.length) : undefined;
}
