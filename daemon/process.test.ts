import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isAlive, processIdentity, readPidFile, signal, terminate, writePidFile } from './process.ts';

describe('process identity', () => {
  const children: ChildProcess[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'poplin-process-'));

  after(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  function start(script: string): {
    child: ChildProcess;
    identity: NonNullable<ReturnType<typeof processIdentity>>;
  } {
    const child = spawn('sh', ['-c', script]);
    children.push(child);
    const identity = processIdentity(child.pid ?? 0);
    if (identity === undefined) throw new Error('the child did not start');
    return { child, identity };
  }

  it('tells a living process from a dead one and from another with the same pid', async () => {
    const { child, identity } = start('exec sleep 60');
    expect(isAlive(identity)).to.equal(true);
    expect(isAlive({ ...identity, startTicks: '1' })).to.equal(false);
    expect(signal({ ...identity, startTicks: '1' }, 'SIGKILL')).to.equal(false);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    expect(signal(identity, 'SIGKILL')).to.equal(true);
    await ended;
    expect(isAlive(identity)).to.equal(false);
  });

  it('ends a process that will not listen', async () => {
    const { identity } = start('trap "" TERM; while :; do sleep 0.05; done');
    await terminate(identity, 100);
    expect(isAlive(identity)).to.equal(false);
  });

  it('finds a process again by its pid file, and nothing by a stale or broken one', () => {
    const { identity } = start('exec sleep 60');
    const path = join(folder, 'x.pid');
    expect(readPidFile(path)).to.equal(undefined);
    writePidFile(path, identity);
    expect(readPidFile(path)).to.deep.equal(identity);
    writePidFile(path, { ...identity, startTicks: '1' });
    expect(readPidFile(path)).to.equal(undefined);
    writeFileSync(path, '{"pid":');
    expect(readPidFile(path)).to.equal(undefined);
  });
});
