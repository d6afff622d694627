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

/** One way to load the state that `from` holds: milliseconds. */
export interface BareLoad {
  readonly name: string;
  readonly ms: number;
}

export async function bareLoads(backend: BackendName, from: string): Promise<readonly BareLoad[]> {
  if (backend !== 'nftables') return [await iptablesLoad(backend, from)];
  return [await nftLoad(from), await netlinkLoad(from)];
}

async function nftLoad(from: string): Promise<BareLoad> {
  const { stdout } = await run('nft', ['list', 'ruleset'], { netns: from });
  const ms = await inFreshNamespace((netns) =>
    timed(() => run('nft', ['-f', '-'], { netns, stdin: stdout, deadlineMs: 300_000 })),
  );
  return { name: 'nft -f', ms };
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
  const ms = await inFreshNamespace(async (netns) => {
    using target = Nftables.open({ netns });
    return await timed(() => target.commit(operations, { handles: false }));
  });
  return { name: 'nfnetlink', ms };
}

const KEY_OF_MAKE: Readonly<
  Record<string, readonly ('ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'ifname')[]>
> = {
  '7': ['ipv4_addr'],
  '8': ['ipv6_addr'],
  '13': ['inet_service'],
  '41': ['ifname'],
};

async function iptablesLoad(backend: 'iptables-nft' | 'iptables-legacy', from: string): Promise<BareLoad> {
  const tool = { backend: backend === 'iptables-nft' ? 'nft' : 'legacy' } as const;
  const sets = (await run('ipset', ['save'], { netns: from })).stdout;
  const texts = await Promise.all(
    FAMILIES.map((version) => iptables.saveText(version, undefined, { ...tool, netns: from })),
  );
  const ms = await inFreshNamespace((netns) =>
    timed(async () => {
      await ipset.restore(sets, { netns });
      await Promise.all(
        FAMILIES.map((version, index) => iptables.restore(version, texts[index] ?? '', { ...tool, netns })),
      );
    }),
  );
  return { name: `ipset restore, ${backend}-restore`, ms };
}

/** Milliseconds for the smallest change of rules: one chain of ten rules written anew, both families, in the state of `from`. */
export async function bareChainChange(backend: BackendName, netns: string, chain: string): Promise<number> {
  if (backend === 'nftables') {
    const { stdout } = await run('nft', ['list', 'chain', 'ip', 'calico', chain], { netns });
    const again = `flush chain ip calico ${chain}\n${stdout}`;
    return timed(() => run('nft', ['-f', '-'], { netns, stdin: again }));
  }
  const tool = { netns, backend: backend === 'iptables-nft' ? 'nft' : 'legacy' } as const;
  const inputs = await Promise.all(
    FAMILIES.map(async (version) => {
      const [filter] = await iptables.save(version, 'filter', tool);
      const rules = filter?.chains.find(({ name }) => name === chain)?.rules ?? [];
      return {
        version,
        steps: [
          { op: 'make', chain } as const,
          ...rules.map((rule) => ({ op: 'append', chain, rule }) as const),
        ],
      };
    }),
  );
  return timed(() =>
    Promise.all(
      inputs.map(({ version, steps }) => iptables.restore(version, [{ table: 'filter', steps }], tool)),
    ),
  );
}

/** Milliseconds for the same over netlink. */
export async function netlinkChainChange(nft: Nftables, chain: string): Promise<number> {
  const [table] = TABLES;
  if (table === undefined) return Number.NaN;
  const rules = await nft.listRules(table, chain);
  return timed(() =>
    nft.commit([
      { op: 'flush-chain', table, chain },
      ...rules.map((rule): NftOperation => ({ op: 'add-rule', table, rule })),
    ]),
  );
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
