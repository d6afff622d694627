import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { EndpointStatusFolder } from './endpoint-status.ts';

/** For what comes at once, unless the machine is busy. */
const PATIENCE_MS = 40_000;

describe('endpoint status', () => {
  let runDir = '';
  let folder: EndpointStatusFolder;
  const clock = new SystemClock();

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'poplin-status-'));
    folder = new EndpointStatusFolder(runDir, clock);
  });
  afterEach(() => {
    folder.close();
    rmSync(runDir, { recursive: true });
  });

  /** As felix-lite writes it: whole or not at all. */
  function write(revision: string, status = 'up'): void {
    mkdirSync(join(runDir, 'endpoint-status'), { recursive: true });
    const path = join(runDir, 'endpoint-status', 'shop%2Fn1-k8s-web-eth0');
    writeFileSync(`${path}.new`, JSON.stringify({ status, interface: 'cali0', revision }));
    renameSync(`${path}.new`, path);
  }

  const wait = (limit: number): Promise<boolean> => folder.waitUntilUp('shop', 'n1-k8s-web-eth0', '7', limit);

  it('is there at once when it was there before', async () => {
    write('7');
    expect(await wait(0)).to.equal(true);
  });

  it('comes soon after the file does', async () => {
    const waiting = wait(PATIENCE_MS);
    await sleep(30);
    write('7');
    const written = clock.now();
    expect(await waiting).to.equal(true);
    // Told by the folder, not found when time was over.
    expect(clock.now() - written).to.be.lessThan(PATIENCE_MS / 2);
  });

  it('is not taken from an earlier life of the endpoint, nor from one that is down', async () => {
    write('6');
    expect(await wait(80)).to.equal(false);
    write('7', 'down');
    expect(await wait(80)).to.equal(false);
  });

  it('gives up when its time is over, and leaves no timer behind', async () => {
    expect(await wait(50)).to.equal(false);
    expect(clock.pending()).to.deep.equal([]);
  });

  it('serves many who wait at once', async () => {
    const waiting = [wait(PATIENCE_MS), wait(PATIENCE_MS), wait(20)];
    expect(await waiting[2]).to.equal(false);
    write('7');
    expect(await Promise.all(waiting)).to.deep.equal([true, true, false]);
  });

  it('is not confused by a file that is no JSON', async () => {
    mkdirSync(join(runDir, 'endpoint-status'));
    writeFileSync(join(runDir, 'endpoint-status', 'shop%2Fn1-k8s-web-eth0'), '{"status"');
    expect(folder.read('shop', 'n1-k8s-web-eth0')).to.equal(undefined);
    expect(await wait(30)).to.equal(false);
  });
});
