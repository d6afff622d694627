/**
 * The limits: the bare tools and bare netlink, brought to the state in which Poplin left a namespace, or making the same
 * small change. They are handed finished text and finished messages; nothing of policy is computed.
 */
import {
  createNamespace,
  deleteNamespace,
  ipset,
  IpsetNetlink,
  iptables,
  type NftOperation,
  Nftables,
  run,
  type TableRef,
} from '../../net/kernel/index.ts';
import { compareStates, savedState, toolOf } from './same-state.ts';
import type { BackendName } from './subject.ts';

const FAMILIES = [4, 6] as const;
const TABLES: readonly TableRef[] = [
  { family: 'ip', name: 'calico' },
  { family: 'ip6', name: 'calico' },
];

let count = 0;

/** Runs in a namespace that is gone afterwards. */
export async function inFreshNamespace<T>(use: (netns: string) => Promise<T>): Promise<T> {
  const name = `poplin-bench-${process.pid}-policy-${++count}`;
  const netns = createNamespace(name);
  try {
    return await use(netns);
  } finally {
    deleteNamespace(name);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** One way to load the state that `from` holds. */
export interface BareLoad {
  readonly name: string;
  readonly ms: number;
  /** Whether it is a tool that one could use instead, or netlink as this process speaks it: the limit. */
  readonly tool: boolean;
}

/** The best of so many. */
const LOADS = 3;

/** Loads in fresh namespaces, and holds the first one to the state of `from`. */
async function bestLoad(
  backend: BackendName,
  from: string,
  name: string,
  tool: boolean,
  load: (netns: string) => Promise<unknown>,
): Promise<BareLoad> {
  let ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < LOADS; i++)
    await inFreshNamespace(async (netns) => {
      ms = Math.min(ms, await timed(() => load(netns)));
      if (i === 0) await compareStates(backend, from, netns);
    });
  return { name, ms, tool };
}

export async function bareLoads(backend: BackendName, from: string): Promise<readonly BareLoad[]> {
  if (backend !== 'nftables') return [await iptablesLoad(backend, from)];
  return [await nftLoad(from), await netlinkLoad(from)];
}

async function nftLoad(from: string): Promise<BareLoad> {
  const { stdout } = await run('nft', ['list', 'ruleset'], { netns: from });
  return bestLoad('nftables', from, 'nft -f', true, (netns) =>
    run('nft', ['-f', '-'], { netns, stdin: stdout, deadlineMs: 300_000 }),
  );
}

/** All in one transaction, rules and sets as they were read. */
async function netlinkLoad(from: string): Promise<BareLoad> {
  using source = Nftables.open({ netns: from });
  const operations: NftOperation[] = [];
  for (const table of TABLES) {
    operations.push({ op: 'add-table', table });
    for (const chain of await source.listChains(table)) operations.push({ op: 'add-chain', table, chain });
    for (const set of await source.listSets(table)) {
      const { name, interval, verdicts, make } = set;
      const key = KEY_OF_MAKE[make.split(' ')[0] ?? ''];
      if (key === undefined) throw new Error(`no key known for ${make}`);
      operations.push({
        op: 'add-set',
        table,
        set: {
          name,
          key,
          ...(interval === true ? { interval } : {}),
          ...(verdicts === true ? { verdicts } : {}),
        },
      });
      const elements = await source.listElements(table, name);
      if (elements.length > 0) operations.push({ op: 'add-elements', table, set: name, elements });
    }
    for (const rule of await source.listRules(table)) operations.push({ op: 'add-rule', table, rule });
  }
  return bestLoad('nftables', from, 'nfnetlink', false, async (netns) => {
    using target = Nftables.open({ netns });
    await target.commit(operations, { handles: false });
  });
}

const KEY_OF_MAKE: Readonly<
  Record<string, readonly ('ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'ifname')[]>
> = {
  '7': ['ipv4_addr'],
  '8': ['ipv6_addr'],
  '13': ['inet_service'],
  '41': ['ifname'],
};

async function iptablesLoad(backend: Exclude<BackendName, 'nftables'>, from: string): Promise<BareLoad> {
  const tool = { backend: toolOf(backend) } as const;
  const { sets, tables } = await savedState(backend, from);
  return bestLoad(backend, from, `ipset restore, ${backend}-restore`, true, async (netns) => {
    await ipset.restore(sets, { netns });
    await Promise.all(
      FAMILIES.map((version, index) => iptables.restore(version, tables[index] ?? '', { ...tool, netns })),
    );
  });
}

/** Milliseconds that nft takes to write one chain of some ten rules anew: the least that it can be asked. */
export async function nftChainChange(netns: string, chain: string): Promise<number> {
  const { stdout } = await run('nft', ['list', 'chain', 'ip', 'calico', chain], { netns });
  const again = `flush chain ip calico ${chain}\n${stdout}`;
  return timed(() => run('nft', ['-f', '-'], { netns, stdin: again }));
}

/** Milliseconds to add one member to a set of `size`, by the tool and by netlink: medians of some. */
export async function bareMember(
  backend: BackendName,
  size: number,
  rounds: number,
): Promise<{ readonly tool: readonly number[]; readonly netlink: readonly number[] }> {
  return inFreshNamespace((netns) =>
    backend === 'nftables' ? nftMember(netns, size, rounds) : ipsetMember(netns, size, rounds),
  );
}

async function nftMember(
  netns: string,
  size: number,
  rounds: number,
): Promise<Awaited<ReturnType<typeof bareMember>>> {
  using nft = Nftables.open({ netns });
  const table = { family: 'ip', name: 'bench' } as const;
  await nft.commit([
    { op: 'add-table', table },
    { op: 'add-set', table, set: { name: 's', key: ['ipv4_addr'] } },
    {
      op: 'add-elements',
      table,
      set: 's',
      elements: Array.from({ length: size }, (_, i) => element(0x0b000000 + i)),
    },
  ]);
  const netlink: number[] = [];
  const tool: number[] = [];
  for (let i = 0; i < rounds; i++)
    netlink.push(
      await timed(() =>
        nft.commit([{ op: 'add-elements', table, set: 's', elements: [element(0x0c000000 + i)] }]),
      ),
    );
  for (let i = 0; i < Math.min(rounds, 20); i++)
    tool.push(
      await timed(() => run('nft', ['add', 'element', 'ip', 'bench', 's', `{ 13.0.0.${i} }`], { netns })),
    );
  return { tool, netlink };
}

function element(value: number): { readonly key: string } {
  return { key: hex(value) };
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

async function ipsetMember(
  netns: string,
  size: number,
  rounds: number,
): Promise<Awaited<ReturnType<typeof bareMember>>> {
  using kernel = IpsetNetlink.open({ netns });
  await kernel.apply([
    { op: 'create', name: 's', type: 'hash:net', family: 'inet', maxElements: 1 << 20 },
    ...Array.from(
      { length: size },
      (_, i) => ({ op: 'add', name: 's', member: `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }) as const,
    ),
  ]);
  const netlink: number[] = [];
  const tool: number[] = [];
  for (let i = 0; i < rounds; i++)
    netlink.push(
      await timed(() => kernel.apply([{ op: 'add', name: 's', member: `12.0.${i >> 8}.${i & 255}` }])),
    );
  for (let i = 0; i < Math.min(rounds, 20); i++)
    tool.push(await timed(() => run('ipset', ['add', 's', `13.0.0.${i}`], { netns })));
  return { tool, netlink };
}
