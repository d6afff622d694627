/**
 * `npm run bench -- routes`: routes from the speaker's choice (the Loc-RIB's end of bgpd/fib) into the kernel and out again, beside bare netlink and `ip
 * -batch`; a next hop that changes under many routes; many nodes that join a VXLAN cluster. In namespaces of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KernelTable, PROTOCOL_BGPD } from '../../bgpd/daemon/kernel-table.ts';
import { Fib } from '../../bgpd/fib/fib.ts';
import type { ForwardingEntry } from '../../bgpd/speaker/ports.ts';
import { SystemClock } from '../../clock/system.ts';
import { silent } from '../../daemon/log.ts';
import { openStore } from '../../datastore/index.ts';
import { Routing } from '../../felix-lite/routing/routing.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  createNamespace,
  deleteNamespace,
  makeRoute,
  namespacePath,
  Netlink,
  type Route,
  run,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';

export const ROUTES_USAGE = `usage: npm run bench -- routes [--routes 10000,100000] [--runs 3] [--nodes 1000] [--json]`;
/** Times bare netlink. */
const TARGET = 1.2;
const MOVED = 5_000;
const WARM = 2_000;
/** Of `bgpd/speaker/family-table.ts`. */
const SLICE = 1000;

interface Figure {
  readonly name: string;
  readonly seconds: number;
}

export async function routesBench(args: readonly string[], machine: object): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      routes: { type: 'string', default: '10000,100000' },
      runs: { type: 'string', default: '3' },
      nodes: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs);
  const sections: { readonly title: string; readonly figures: readonly Figure[] }[] = [];
  for (const count of values.routes.split(',').map(Number)) {
    const figures = await medians(runs, () => inNamespace((netns) => throughAll(netns, count)));
    sections.push({ title: `${count} routes`, figures });
  }
  sections.push({
    title: `a next hop that changes under ${MOVED} routes`,
    figures: await medians(runs, () => inNamespace(movedNextHop)),
  });
  sections.push({
    title: `${values.nodes} nodes join a VXLAN cluster`,
    figures: await medians(1, () => inNamespace((netns) => joiners(netns, Number(values.nodes)))),
  });
  const verdicts = sections.flatMap(({ title, figures }) => ratios(title, figures));
  if (values.json) {
    console.log(JSON.stringify({ machine, target: TARGET, sections, verdicts }, undefined, 2));
    return;
  }
  for (const { title, figures } of sections) console.log(`\n${title}\n${figures.map(line).join('\n')}`);
  console.log('');
  for (const { title, what, ratio } of verdicts)
    console.log(
      `${title}, ${what}: ${ratio.toFixed(2)} times bare netlink (target ${TARGET}): ${ratio <= TARGET ? 'met' : 'missed'}`,
    );
}

interface Ratio {
  readonly title: string;
  readonly what: string;
  readonly ratio: number;
}

/** Each figure `Poplin, X` beside its `bare netlink, X`. */
function ratios(title: string, figures: readonly Figure[]): readonly Ratio[] {
  const of = (name: string): number | undefined => figures.find((figure) => figure.name === name)?.seconds;
  return figures.flatMap(({ name, seconds }) => {
    const what = /^Poplin, (.*)$/.exec(name)?.[1];
    const bare = what === undefined ? undefined : of(`bare netlink, ${what}`);
    return what === undefined || bare === undefined ? [] : [{ title, what, ratio: seconds / bare }];
  });
}

const line = ({ name, seconds }: Figure): string =>
  `  ${name.padEnd(28)} ${(seconds * 1000).toFixed(1).padStart(9)} ms`;

async function medians(runs: number, once: () => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  const all: (readonly Figure[])[] = [];
  for (let i = 0; i < runs; i++) all.push(await once());
  return (all[0] ?? []).map(({ name }, at) => {
    const sorted = all.map((figures) => figures[at]?.seconds ?? Number.NaN).sort((a, b) => a - b);
    return { name, seconds: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN };
  });
}

let count = 0;

async function inNamespace<T>(use: (netns: string) => Promise<T>): Promise<T> {
  const name = `poplin-bench-routes-${process.pid}-${++count}`;
  createNamespace(name);
  try {
    const netns = namespacePath(name);
    const setUp = [
      'link add eth0 type veth peer name eth1',
      'link set eth0 up',
      'link set eth1 up',
      'addr add 192.0.2.1/24 dev eth0',
    ];
    await run('sh', ['-ec', `ip -batch - <<'END'\n${setUp.join('\n')}\nEND`], { netns });
    return await use(netns);
  } finally {
    deleteNamespace(name);
  }
}

function prefixes(many: number): readonly Prefix[] {
  const base = Address.v4(0x0a00_0000);
  return Array.from({ length: many }, (_, i) => Prefix.of(base.add(i * 64), 26));
}

const gateway = (last: number): Address => Address.v4(0xc000_0200 + last);

async function timed(name: string, work: () => Promise<unknown>): Promise<Figure> {
  const began = performance.now();
  await work();
  return { name, seconds: (performance.now() - began) / 1000 };
}

async function throughAll(netns: string, many: number): Promise<readonly Figure[]> {
  const all = prefixes(many);
  await warmUp(netns);
  using netlink = Netlink.open({ netns });
  const routes = all.map((destination) => bareRoute(destination, 2));
  const bareIn = await timed('bare netlink, in', () =>
    netlink.applyRoutes(routes.map((route) => ({ op: 'add', route }))),
  );
  const bareOut = await timed('bare netlink, out', () =>
    netlink.applyRoutes(routes.map((route) => ({ op: 'delete', route }))),
  );
  const fib = await Fib.open(new KernelTable(netlink), new SystemClock());
  fib.complete('ipv4-unicast');
  const ours = await timed('Poplin, in', async () => {
    await feed(fib, all, () => over(2));
  });
  await expectRoutes(netlink, many);
  const out = await timed('Poplin, out', async () => {
    await feed(fib, all, () => undefined);
  });
  await expectRoutes(netlink, 0);
  await fib.close();
  const batchIn = await ipBatch('ip -batch, in', netns, all, (text) => `route add ${text} via 192.0.2.2`);
  const batchOut = await ipBatch('ip -batch, out', netns, all, (text) => `route delete ${text}`);
  return [bareIn, ours, batchIn, bareOut, out, batchOut];
}

/** Both ways once, with a few: a daemon that has run for a while has been compiled, and so has who is compared with it. */
async function warmUp(netns: string): Promise<void> {
  const few = prefixes(WARM);
  using netlink = Netlink.open({ netns });
  for (const op of ['add', 'replace', 'delete'] as const)
    await netlink.applyRoutes(few.map((prefix) => ({ op, route: bareRoute(prefix, 2) })));
  const fib = await Fib.open(new KernelTable(netlink), new SystemClock());
  fib.complete('ipv4-unicast');
  for (const entry of [over(2), over(3), undefined]) {
    await feed(fib, few, () => entry);
  }
  await fib.close();
}

function bareRoute(destination: Prefix, last: number): Route {
  return makeRoute({ destination, protocol: PROTOCOL_BGPD, nextHops: [{ gateway: gateway(last) }] });
}

function over(last: number): ForwardingEntry {
  return { type: 'unicast', gateways: [gateway(last)] };
}

/** In slices, as the speaker hands over what it decided; until all is in the kernel. */
async function feed(
  fib: Fib,
  prefixes: readonly Prefix[],
  entry: () => ForwardingEntry | undefined,
): Promise<void> {
  for (let from = 0; from < prefixes.length; from += SLICE) {
    for (const prefix of prefixes.slice(from, from + SLICE)) fib.set(prefix, entry());
    await new Promise((resolve) => setImmediate(resolve));
  }
  await fib.idle();
}

async function ipBatch(
  name: string,
  netns: string,
  all: readonly Prefix[],
  command: (prefix: string) => string,
): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-routes-'));
  try {
    const file = join(folder, 'batch');
    writeFileSync(file, all.map((prefix) => command(prefix.toString())).join('\n'));
    return await timed(name, () => run('ip', ['-batch', file], { netns }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function expectRoutes(netlink: Netlink, many: number): Promise<void> {
  const there = await netlink.listRoutes({ table: TABLE_MAIN, protocol: PROTOCOL_BGPD });
  if (there.length !== many) throw new Error(`${there.length} routes in the kernel, not ${many}`);
}

async function movedNextHop(netns: string): Promise<readonly Figure[]> {
  const all = prefixes(MOVED);
  await warmUp(netns);
  using netlink = Netlink.open({ netns });
  const fib = await Fib.open(new KernelTable(netlink), new SystemClock());
  for (const prefix of all) fib.set(prefix, over(2));
  await fib.idle();
  const moved = await timed('Poplin, moved', async () => {
    await feed(fib, all, () => over(3));
  });
  await fib.close();
  const routes = all.map((destination) => bareRoute(destination, 4));
  const bare = await timed('bare netlink, moved', () =>
    netlink.applyRoutes(routes.map((route) => ({ op: 'replace', route }))),
  );
  const batch = await ipBatch(
    'ip -batch, moved',
    netns,
    all,
    (text) => `route replace ${text} via 192.0.2.5 proto ${PROTOCOL_BGPD}`,
  );
  return [bare, moved, batch];
}

function put(kind: string, scope: string, name: string, value: object) {
  return { type: 'put' as const, key: { kind, scope, name }, value, expect: 'any' as const };
}

function resource(kind: string, name: string, spec: object) {
  return put(kind, '', name, { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
}

/** From their commit to the last route in the kernel, far ends and neighbours included. */
async function joiners(netns: string, many: number): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-routes-'));
  const store = await openStore(join(folder, 'datastore.db'));
  const all = prefixes(many + 1);
  const nodeOf = (i: number) =>
    resource('Node', `node-${i}`, {
      bgp: {
        ipv4Address: `${Address.v4(0xc000_0201)
          .add(i * 256)
          .toString()}/24`,
      },
      ipv4VXLANTunnelAddr: (all[i] ?? all[0])?.nth(0).toString(),
    });
  const blockOf = (i: number) =>
    put('BlockAffinity', `host:node-${i}`, (all[i] ?? '').toString(), { state: 'confirmed' });
  const pool = resource('IPPool', 'pool', { cidr: '10.0.0.0/8', blockSize: 26, vxlanMode: 'Always' });
  await store.commit([pool, nodeOf(0), blockOf(0)]);
  const routing = new Routing({ node: 'node-0', store, clock: new SystemClock(), log: silent, netns });
  const until = async (routes: number): Promise<void> => {
    while (routing.status().routes < routes) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  try {
    routing.start();
    await until(1);
    const others = Array.from({ length: many - 1 }, (_, i) => i + 1);
    const cpu = process.cpuUsage();
    const joined = await timed('Poplin, all in the kernel', async () => {
      await store.commit(others.flatMap((i) => [nodeOf(i), blockOf(i)]));
      await until(many);
    });
    const { user, system } = process.cpuUsage(cpu);
    const one = await timed('one node more', async () => {
      await store.commit([nodeOf(many), blockOf(many)]);
      await until(many + 1);
    });
    return [joined, { name: 'of that, CPU', seconds: (user + system) / 1e6 }, one];
  } finally {
    await routing.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  }
}
