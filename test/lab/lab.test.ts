/**
 * The lab runner with real BIRD and FRR: up, heal, crash, interrupt, down. Each test looks at the machine, not at
 * what the runner says of itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoplinError } from '../../api/problem.ts';
import { type LabStatus, labDown, labStatus, labUp } from '../../containerlab/index.ts';
import { membersOf } from '../../containerlab/runner/members.ts';
import { labPaths } from '../../containerlab/runner/paths.ts';
import { readState } from '../../containerlab/runner/state.ts';
import { until } from '../../containerlab/runner/until.ts';
import { runOn } from '../../containerlab/runner/node.ts';
import { openLab } from '../../containerlab/runner/lab.ts';
import { deleteNamespace, listNamespaces } from '../../net/kernel/index.ts';
import { type TestTopology, testTopology } from './lab.topology.ts';

const root = process.getuid?.() === 0;
/** For what comes at once, unless the machine is busy. */
const WITHIN_MS = 60_000;

describe('lab on namespaces', function () {
  this.timeout(300_000);
  let topology: TestTopology;
  const printed: string[] = [];
  const screen = { out: (text: string) => void printed.push(text), colour: false, columns: undefined };

  before(function () {
    if (root) return;
    process.stderr.write('SKIPPED: labs need root\n');
    this.skip();
  });

  beforeEach(() => {
    topology = testTopology();
    printed.length = 0;
  });

  afterEach(async () => {
    await labDown({ lab: topology.name }, screen);
    topology.remove();
    expect(remains(topology.name)).to.deep.equal([]);
  });

  it('comes up, its routers speak to one another in both families, and goes away whole', async () => {
    expect(await labUp({ topology: topology.file }, screen)).to.equal(0);
    const status = await established(topology.name);
    expect(status?.sessions.map(({ left, right, family }) => `${left} ${right} ${family}`)).to.deep.equal([
      'left right 4',
      'left right 6',
    ]);
    const { stdout } = await inLab('right', ['vtysh', '-c', 'show bgp ipv6 unicast json']);
    expect(Object.keys((JSON.parse(stdout) as { routes: object }).routes)).to.deep.equal([
      '2001:db8:1::1/128',
    ]);
    expect(await labDown({ lab: topology.name }, screen)).to.equal(0);
    expect(remains(topology.name)).to.deep.equal([]);
  });

  it('gives each node its host name, environment, configuration folder and MTU, and hides them from the machine', async () => {
    const machineHasBird = existsSync('/run/bird/bird.ctl');
    await labUp({ topology: topology.file }, screen);
    expect((await inLab('plain', ['cat', '/proc/sys/kernel/hostname'])).stdout.trim()).to.equal('plain');
    expect((await inLab('plain', ['sh', '-c', 'echo $GREETING'])).stdout).to.equal('hello\n');
    expect((await inLab('plain', ['cat', '/sys/class/net/eth1/mtu'])).stdout.trim()).to.equal('1400');
    expect((await inLab('left', ['cat', '/etc/bird/bird.conf'])).stdout).to.contain('192.0.2.1');
    expect((await inLab('right', ['cat', '/etc/frr/frr.conf'])).stdout).to.contain('65002');
    expect(existsSync('/run/bird/bird.ctl')).to.equal(machineHasBird);
    expect(readFileSync('/etc/bird/bird.conf', 'utf8')).not.to.contain('192.0.2.1');
  });

  it('heals what was lost: a killed router, a killed init, a removed namespace', async () => {
    await labUp({ topology: topology.file }, screen);
    await established(topology.name);
    const before = readState(topology.name)?.nodes;

    kill(pidOf('bird'));
    expect(await until(() => pidOf('bird'), { withinMs: WITHIN_MS }), 'init starts it again').to.be.a(
      'number',
    );

    kill(before?.['right']?.init?.pid);
    deleteNamespace(`clab-${topology.name}-plain`);
    expect(await labUp({ topology: topology.file }, screen)).to.equal(0);
    const status = await established(topology.name);
    expect(status?.nodes.map(({ name, up }) => `${name} ${up}`)).to.deep.equal([
      'left true',
      'right true',
      'plain true',
    ]);
    expect((await inLab('plain', ['cat', '/sys/class/net/eth1/operstate'])).stdout.trim()).to.equal('up');
    expect(readState(topology.name)?.nodes['left']).to.deep.equal(
      before?.['left'],
      'what stood was left alone',
    );
  });

  it('refuses to turn a running lab into another one, and changes nothing', async () => {
    await labUp({ topology: topology.file }, screen);
    const before = readState(topology.name);
    topology.rewrite((text) => text.replace('1400', '1300'));
    expect(await codes(labUp({ topology: topology.file }, screen))).to.deep.equal(['LAB_DIFFERS']);
    expect(readState(topology.name)).to.deep.equal(before);
  });

  it('leaves nothing behind when a command of a node fails, and says which', async () => {
    topology.rewrite((text) => text.replace('dev lo\n', 'dev nowhere\n'));
    let problem: unknown;
    await labUp({ topology: topology.file }, screen).catch((error: unknown) => {
      problem = error instanceof PoplinError ? error.problems[0] : error;
    });
    expect(problem).to.include({ code: 'EXEC_FAILED', resource: 'left' });
    expect(remains(topology.name)).to.deep.equal([]);
  });

  it('takes everything away on Ctrl-C in mid-start, and exits as shells expect', async () => {
    topology.rewrite((text) => text.replace('env: {', 'exec: [sleep 30]\n      env: {'));
    const child = start(topology.file);
    await until(() => (listNamespaces().includes(`clab-${topology.name}-plain`) ? true : undefined), {
      withinMs: WITHIN_MS,
    });
    child.kill('SIGINT');
    expect(await ended(child)).to.equal(130);
    expect(remains(topology.name)).to.deep.equal([]);
  });

  it('cleans up after a start that was killed, at the next start', async () => {
    topology.rewrite((text) => text.replace('env: {', 'exec: [sleep 60]\n      env: {'));
    const child = start(topology.file);
    await until(() => (pidOf('bird') === undefined ? undefined : true), { withinMs: WITHIN_MS });
    child.kill('SIGKILL');
    await ended(child);
    expect(remains(topology.name)).not.to.deep.equal([]);
    topology.rewrite((text) => text.replace('      exec: [sleep 60]\n', ''));
    expect(await labUp({ topology: topology.file }, screen)).to.equal(0);
    expect(printed.join('')).to.contain('removed what an earlier start left behind (3 namespaces)');
    expect((await established(topology.name))?.nodes.every(({ up }) => up)).to.equal(true);
  });

  it('leaves alone what bears its name and is not its own', async () => {
    await labUp({ topology: topology.file }, screen);
    const longer = `${topology.name}-left`;
    topology.rewrite((text) => text.replace(`name: ${topology.name}`, `name: ${longer}`));
    try {
      expect(await labUp({ topology: topology.file }, screen)).to.equal(0);
      expect(await labDown({ lab: topology.name }, screen)).to.equal(0);
      expect(listNamespaces().filter((name) => name.startsWith(`clab-${longer}-`))).to.have.length(3);
    } finally {
      await labDown({ lab: longer }, screen);
    }
  });

  it('lets one command at a time change a lab', async () => {
    topology.rewrite((text) => text.replace('env: {', 'exec: [sleep 1]\n      env: {'));
    const first = labUp({ topology: topology.file }, screen);
    expect(await codes(labUp({ topology: topology.file }, screen))).to.deep.equal(['LAB_BUSY']);
    expect(await first).to.equal(0);
  });

  async function inLab(node: string, command: readonly string[]) {
    const lab = openLab(topology.name);
    if (!lab.ok) throw new PoplinError(lab.problems);
    return runOn(lab.value.on(node), command);
  }

  function pidOf(program: string): number | undefined {
    return membersOf([`clab-${topology.name}-left`]).find(({ pid }) => nameOf(pid) === program)?.pid;
  }
});

/** Undefined when the process has ended since it was listed. */
function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function established(lab: string): Promise<LabStatus | undefined> {
  return until(
    async () => {
      let text = '';
      const code = await labStatus(
        { lab, output: 'json' },
        { out: (part) => void (text += part), colour: false, columns: undefined },
      );
      const status = JSON.parse(text) as LabStatus;
      return code === 0 && status.sessions.length === 2 ? status : undefined;
    },
    { withinMs: WITHIN_MS },
  );
}

/** What the machine still has of a lab. */
function remains(lab: string): string[] {
  const { state, durable, lock } = labPaths(lab);
  return [
    ...listNamespaces().filter((name) => name.startsWith(`clab-${lab}-`)),
    ...[state, durable, lock].filter((path) => existsSync(path)),
    ...readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`/lab/${lab}/`)),
  ];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number | undefined): void {
  if (pid === undefined) throw new Error('nothing to kill');
  process.kill(pid, 'SIGKILL');
}

async function codes(work: Promise<number>): Promise<string[]> {
  try {
    await work;
    return [];
  } catch (error) {
    if (error instanceof PoplinError) return error.problems.map(({ code }) => code);
    throw error;
  }
}

function start(file: string): ChildProcess {
  return spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'up.ts'), file],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('close', resolve));
}
