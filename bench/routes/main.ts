/**
 * `npm run bench -- routes`: routes from the speaker's choice (the Loc-RIB's end of bgpd/fib) into the kernel and out again, beside bare netlink and `ip
 * -batch`; a next hop that changes under many routes; many nodes that join a VXLAN cluster. In namespaces of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PROTOCOL_BGPD } from '../../bgpd/daemon/kernel-table.ts';
import type { Prefix } from '../../net/addr/index.ts';
import { Netlink, run } from '../../net/kernel/index.ts';
import { BareNetlink } from './bare.ts';
import { joiners } from './join.ts';
import { expectRoutes, type Figure, gateway, inNamespace, prefixes, timed } from './rig.ts';
import { SpeakerAndKernel, updates } from './speaker.ts';

export const ROUTES_USAGE = `usage: npm run bench -- routes [--routes 10000,100000] [--runs 5] [--nodes 1000,5000] [--json]`;
/** Times bare netlink. */
const TARGET = 1.2;
const MOVED = 5_000;
/** Sections of fewer routes take so little that they are measured thrice as often. */
const FEW = 20_000;
/** Routes that both sides have been through thrice before the clock starts. */
const WARM = 20_000;
export async function routesBench(args: readonly string[], machine: object): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      routes: { type: 'string', default: '10000,100000' },
      runs: { type: 'string', default: '5' },
      nodes: { type: 'string', default: '1000,5000' },
      json: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs);
  const sections: { readonly title: string; readonly figures: readonly Figure[] }[] = [];
  for (const count of values.routes.split(',').map(Number)) {
    const figures = await medians(count < FEW ? runs * 3 : runs, () =>
      inNamespace((netns) => throughAll(netns, count)),
    );
    sections.push({ title: `${count} routes`, figures });
  }
  sections.push({
    title: `a next hop that changes under ${MOVED} routes`,
    figures: await medians(runs * 3, () => inNamespace(movedNextHop)),
  });
  for (const nodes of values.nodes.split(',').map(Number))
    sections.push({
      title: `${nodes} nodes join a VXLAN cluster`,
      figures: await inNamespace((netns) => joiners(netns, nodes)),
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
  return (all[0] ?? []).flatMap((_, at) => {
    const sorted = all.flatMap((figures) => figures[at] ?? []).sort((a, b) => a.seconds - b.seconds);
    return sorted[Math.floor(sorted.length / 2)] ?? [];
  });
}

/** Next hops: of the table that is written, of the one that it moves to, and of what the kernel is warmed up with. */
const [FIRST, SECOND, OTHER] = [gateway(2), gateway(3), gateway(9)];

async function throughAll(netns: string, many: number): Promise<readonly Figure[]> {
  const all = prefixes(many);
  await warmUp(netns);
  using netlink = Netlink.open({ netns });
  using bare = new BareNetlink(netns);
  const bareBothWays = async (): Promise<readonly Figure[]> => [
    await bare.apply('bare netlink, in', 'add', all, FIRST),
    await bare.apply('bare netlink, out', 'delete', all, FIRST),
  ];
  const before = await bareBothWays();
  const poplin = await SpeakerAndKernel.open(netlink);
  const [announced, withdrawn] = [updates(all, FIRST), updates(all, undefined)];
  const ours = await timed('Poplin, in', () => poplin.hear(announced, many));
  await expectRoutes(netlink, many, FIRST);
  const out = await timed('Poplin, out', () => poplin.hear(withdrawn, many));
  await expectRoutes(netlink, 0, FIRST);
  await poplin.close();
  const [bareIn, bareOut] = best(before, await bareBothWays());
  const batchIn = await ipBatch('ip -batch, in', netns, all, (text) => `route add ${text} via 192.0.2.2`);
  const batchOut = await ipBatch('ip -batch, out', netns, all, (text) => `route delete ${text}`);
  return [bareIn, ours, batchIn, bareOut, out, batchOut].flatMap((figure) => figure ?? []);
}

/** Of what was measured before Poplin and after it. */
function best(before: readonly Figure[], after: readonly Figure[]): readonly Figure[] {
  return before.map((figure, i) => {
    const other = after[i] ?? figure;
    return figure.seconds <= other.seconds ? figure : other;
  });
}

/** Both sides alike: a daemon that has run for a while has been compiled, and so has who is compared with it. */
async function warmUp(netns: string): Promise<void> {
  const few = prefixes(WARM);
  using bare = new BareNetlink(netns);
  for (const op of ['add', 'replace', 'delete'] as const) await bare.apply('', op, few, OTHER);
  using netlink = Netlink.open({ netns });
  const poplin = await SpeakerAndKernel.open(netlink);
  for (const over of [FIRST, SECOND, undefined]) await poplin.hear(updates(few, over), WARM);
  await poplin.close();
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

async function movedNextHop(netns: string): Promise<readonly Figure[]> {
  const all = prefixes(MOVED);
  await warmUp(netns);
  using netlink = Netlink.open({ netns });
  using bare = new BareNetlink(netns);
  const poplin = await SpeakerAndKernel.open(netlink);
  const moves = updates(all, SECOND);
  await poplin.hear(updates(all, FIRST), MOVED);
  const moved = await timed('Poplin, moved', () => poplin.hear(moves, MOVED));
  await expectRoutes(netlink, MOVED, SECOND);
  await poplin.close();
  const [bareMoved] = best(
    [await bare.apply('bare netlink, moved', 'replace', all, FIRST)],
    [await bare.apply('bare netlink, moved', 'replace', all, OTHER)],
  );
  const batch = await ipBatch(
    'ip -batch, moved',
    netns,
    all,
    (text) => `route replace ${text} via 192.0.2.5 proto ${PROTOCOL_BGPD}`,
  );
  return [bareMoved, moved, batch].flatMap((figure) => figure ?? []);
}
