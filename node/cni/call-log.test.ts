/** The log of calls: what a line says, and which files stay. */
import { expect } from 'chai';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../clock/system.ts';
import { CallLog, type Call, type CallLogFile } from './call-log.ts';

describe('the log of CNI calls', () => {
  let folder: string;
  let log: CallLog;
  let file: CallLogFile;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-call-log-'));
    log = new CallLog(new SystemClock(), () => undefined);
    file = {
      path: join(folder, 'sub', 'cni.log'),
      maxBytes: 1000,
      maxAgeMs: 60_000,
      maxFiles: 2,
      level: 'info',
    };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const lines = (): object[] =>
    readFileSync(file.path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);

  it('says what was asked and what came of it', async () => {
    log.write(file, call());
    log.write(file, call(1));
    log.write({ ...file, level: 'error' }, call());
    log.write({ ...file, level: 'debug' }, call());
    await log.settled();
    expect(lines()).to.have.length(3);
    expect(lines()[0]).to.include({ level: 'info', command: 'ADD', containerId: 'c1', millis: 4.6 });
    expect(lines()[1]).to.deep.include({ level: 'error', error: { code: 11, msg: 'later' } });
    expect(lines()[2]).to.deep.include({ result: { ips: [] } });
  });

  it('puts the file aside before it is too long, and keeps no more and no older ones than it shall', async () => {
    for (let i = 0; i < 60; i++) {
      log.write(file, call());
      await log.settled();
    }
    const names = readdirSync(join(folder, 'sub'));
    expect(names).to.have.length(3);
    expect(readFileSync(file.path).length).to.be.at.most(1000);
    for (const name of names.filter((one) => one !== 'cni.log')) utimesSync(join(folder, 'sub', name), 1, 1);
    for (let i = 0; i < 10; i++) log.write(file, call());
    await log.settled();
    expect(readdirSync(join(folder, 'sub'))).to.have.length(2);
  });

  it('stops nothing when it cannot write', async () => {
    log.write({ ...file, path: '/etc/passwd/cni.log' }, call());
    log.write(file, call());
    await log.settled();
    expect(lines()).to.have.length(1);
  });
});

function call(exitCode: 0 | 1 = 0): Call {
  return {
    command: 'ADD',
    network: 'net',
    containerId: 'c1',
    ifName: 'eth0',
    response: { exitCode, output: exitCode === 0 ? { ips: [] } : { code: 11, msg: 'later' } },
    millis: 4.567,
  };
}
