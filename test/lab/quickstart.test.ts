/**
 * End to end: the quickstart's lab, proved as the quickstart proves it, and then ill-treated. Whatever Poplin process
 * dies, established connections live on and the kernel ends as it was.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoplinError, unwrap } from '../../api/problem.ts';
import { labDown, labUp } from '../../containerlab/index.ts';
import { type Expectation, loadExpectation } from '../../containerlab/expectation.ts';
import { catchInterrupts } from '../../containerlab/runner/interrupt.ts';
import { type RunningLab, openLab } from '../../containerlab/runner/lab.ts';
import { pause } from '../../containerlab/runner/members.ts';
import { REPOSITORY, labPaths, nodeRunDir } from '../../containerlab/runner/paths.ts';
import { until } from '../../containerlab/runner/until.ts';
import { heldBlocks } from '../../containerlab/verdict/blocks.ts';
import { lookAtSessions } from '../../containerlab/verdict/fabric.ts';
import { measureMatrix, wrongCells } from '../../containerlab/verdict/matrix.ts';
import { awaitRoutes } from '../../containerlab/verdict/verdict.ts';
import type { HoldReport } from '../../containerlab/workload/hold.ts';
import { controlSocket } from '../../containerlab/workload/workloads.ts';
import { askControl } from '../../daemon/control.ts';
import { namespacePath, run } from '../../net/kernel/index.ts';
import { type Copy, copyQuickstart } from './quickstart.topology.ts';

/** For what comes at once, unless the machine is busy. */
const WITHIN_MS = 60_000;
/** Of a held connection, after what was done to the node. */
const ENOUGH = 20;
const silent = { out: () => undefined, colour: false, columns: undefined };

describe('quickstart, end to end', function () {
  this.timeout(5 * WITHIN_MS);
  let copy: Copy;
  let lab: RunningLab;
  let expectation: Expectation;

  before(async function () {
    if (process.getuid?.() !== 0) {
      process.stderr.write('SKIPPED: labs need root\n');
      this.skip();
    }
    copy = copyQuickstart();
    expect(await labUp({ topology: copy.file }, silent)).to.equal(0);
    lab = unwrap(openLab(copy.name));
    const loaded = unwrap(loadExpectation(lab.topology));
    if (loaded === undefined) throw new Error('no expectation');
    expectation = loaded;
  });

  after(async () => {
    if (copy === undefined) return;
    await labDown({ lab: copy.name }, silent);
    copy.remove();
  });

  it('brings up every session, seen from both sides', async () => {
    const seen = await until(
      async () => {
        const pairs = await lookAtSessions(lab);
        return pairs.every(({ established }) => established) ? pairs : undefined;
      },
      { withinMs: WITHIN_MS },
    );
    expect(seen).to.have.length(14);
  });

  it('has every block in every router by way of the right neighbour', async () => {
    const blocks = await heldBlocks(lab);
    expect(blocks).to.have.length(8);
    const interrupt = catchInterrupts();
    try {
      await awaitRoutes(lab, blocks, interrupt);
    } finally {
      interrupt.release();
    }
  });

  it('lets through what it must and nothing else, in both families, addresses untouched', async () => {
    const matrix = await settled();
    expect(wrongCells(matrix)).to.deep.equal([]);
    expect(matrix.cells).to.have.length(112);
  });

  for (const victims of [['bgpd'], ['felix'], ['agent'], ['agent', 'bgpd', 'felix']] as const)
    it(`survives kill -9 of ${victims.join(', ')}: all comes back, no connection breaks, the kernel is as before`, async () => {
      const before = await steadyKernelOf('a1');
      const held = await holdConnections();
      const killed = await Promise.all(victims.map(pidOf));
      for (const pid of killed) process.kill(pid, 'SIGKILL');
      const again = await until(
        async () => {
          const now = await Promise.all(victims.map(pidOf)).catch(() => []);
          return now.length > 0 && now.every((pid, i) => pid !== killed[i]) ? now : undefined;
        },
        { withinMs: WITHIN_MS },
      );
      expect(again, `${victims.join(', ')} back`).to.have.length(victims.length);
      // Graceful restart ends, stale routes are swept, tables are read back: then nothing may be different.
      await pause(4000);
      // That not one packet was lost meanwhile, the flood of pings in restarts.test.ts proves.
      const echoed = (await held.reports()).map(({ echoes }) => echoes + ENOUGH);
      const reports = await until(
        async () => {
          const now = await held.reports();
          const isOver = now.every(
            ({ echoes, broken }, i) => broken !== undefined || echoes > (echoed[i] ?? 0),
          );
          return isOver ? now : undefined;
        },
        { withinMs: WITHIN_MS },
      );
      expect(reports?.map(({ broken }) => broken)).to.deep.equal(echoed.map(() => undefined));
      const after = await until(
        async () => {
          const now = await kernelOf('a1');
          return now === before ? now : undefined;
        },
        { withinMs: WITHIN_MS, everyMs: 500 },
      );
      expect(after ?? (await kernelOf('a1'))).to.equal(before);
      expect(wrongCells(await settled())).to.deep.equal([]);
    });

  it('follows an edited policy within seconds, and back', async () => {
    const file = join(copy.manifests, 'policies.yaml');
    const original = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      original.replace(
        "selector: app == 'web'\n      destination",
        "selector: app == 'nobody'\n      destination",
      ),
    );
    await apply(file);
    const changed = await until(
      async () => {
        const wrong = wrongCells(await measureMatrix(lab, expectation));
        return wrong.length === 8 ? wrong : undefined;
      },
      { withinMs: WITHIN_MS },
    );
    expect(
      changed?.every(({ from, to, got }) => from.startsWith('web') && to.startsWith('api') && !got),
    ).to.equal(true);
    writeFileSync(file, original);
    await apply(file);
    expect(wrongCells(await settled())).to.deep.equal([]);
  });

  it('is healed by lab up when a workload died', async () => {
    const program = lab.state.workloads['web-1']?.process;
    if (program === undefined) throw new Error('web-1 has no process');
    process.kill(program.pid, 'SIGKILL');
    expect(await labUp({ topology: copy.file }, silent)).to.equal(0);
    lab = unwrap(openLab(copy.name));
    expect(wrongCells(await settled())).to.deep.equal([]);
  });

  function settled() {
    return until(
      async () => {
        const matrix = await measureMatrix(lab, expectation);
        return wrongCells(matrix).length === 0 ? matrix : undefined;
      },
      { withinMs: WITHIN_MS, everyMs: 500 },
    ).then((matrix) => matrix ?? measureMatrix(lab, expectation));
  }

  /** From a workload on a1 to one in its own rack and one in the other, in both families. */
  async function holdConnections() {
    const targets = ['api-1', 'web-2'].flatMap((name) =>
      Object.values(lab.state.workloads[name]?.addresses ?? {}),
    );
    expect(targets).to.have.length(4);
    const socket = controlSocket(copy.name, 'web-1');
    const before = unwrap(await askControl<HoldReport[]>(socket, 'GET', '/held')).length;
    const body = targets.map((address) => ({ address, port: expectation.port }));
    unwrap(await askControl(socket, 'POST', '/hold', { body }));
    await pause(500);
    return {
      reports: async () => unwrap(await askControl<HoldReport[]>(socket, 'GET', '/held')).slice(before),
    };
  }

  async function pidOf(victim: 'bgpd' | 'felix' | 'agent'): Promise<number> {
    const status = await askControl<{ pid: number; daemons: Record<string, { pid?: number }> }>(
      join(nodeRunDir(copy.name, 'a1'), 'agent.sock'),
      'GET',
      '/status',
      { deadlineMs: 5000 },
    );
    if (!status.ok) throw new PoplinError(status.problems);
    const pid = victim === 'agent' ? status.value.pid : status.value.daemons[victim]?.pid;
    if (pid === undefined) throw new Error(`${victim} does not run`);
    return pid;
  }

  /** What it is once nothing of an earlier change is under way. */
  async function steadyKernelOf(node: string): Promise<string> {
    let last = '';
    const steady = await until(
      async () => {
        const now = await kernelOf(node);
        const isSame = now === last;
        last = now;
        return isSame ? now : undefined;
      },
      { withinMs: WITHIN_MS, everyMs: 500 },
    );
    return steady ?? expect.fail('the kernel does not come to rest');
  }

  /** Routes, rules and sets of a node as text, without what counts or ages. */
  async function kernelOf(node: string): Promise<string> {
    const netns = namespacePath(lab.namespace(node));
    const outputs = await Promise.all(
      [
        ['ip', '-4', 'route', 'show', 'table', 'all'],
        ['ip', '-6', 'route', 'show', 'table', 'all'],
        ['iptables-save'],
        ['ip6tables-save'],
        ['ipset', 'save', '-sorted'],
      ].map(([program = '', ...args]) => run(program, args, { netns })),
    );
    return outputs
      .map(({ stdout }) =>
        stdout
          .split('\n')
          .filter((line) => !line.startsWith('#'))
          .map((line) =>
            line
              .replace(/\[\d+:\d+\]/, '')
              .replace(/ expires \d+sec/, '')
              .trim(),
          )
          .join('\n'),
      )
      .join('\n');
  }

  async function apply(file: string): Promise<void> {
    await run(join(REPOSITORY, 'bin', 'poplin'), ['apply', '-f', file], {
      env: { ...process.env, POPLIN_DATASTORE: labPaths(copy.name).datastore },
    });
  }
});
