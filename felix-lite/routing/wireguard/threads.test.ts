/** A device's threads are switched in sysfs; a kernel that has none is told of and in nobody's way. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { setThreaded } from './threads.ts';

describe('threads of a WireGuard device', () => {
  let sysfs = '';
  const file = (): string => join(sysfs, 'class', 'net', 'wireguard.cali', 'threaded');
  beforeEach(() => {
    sysfs = mkdtempSync(join(tmpdir(), 'poplin-sysfs-'));
    mkdirSync(join(sysfs, 'class', 'net', 'wireguard.cali'), { recursive: true });
    writeFileSync(file(), '0\n');
  });
  afterEach(() => rmSync(sysfs, { recursive: true }));

  it('are switched on and off, once each', () => {
    for (const [wanted, value] of [
      [true, '1'],
      [false, '0'],
    ] as const) {
      expect(setThreaded('wireguard.cali', wanted, sysfs)).to.equal(1);
      expect(readFileSync(file(), 'utf8')).to.match(new RegExp(`^${value}`));
      expect(setThreaded('wireguard.cali', wanted, sysfs)).to.equal(0);
    }
  });

  it('are a problem only where they are wanted and not to be had', () => {
    expect(setThreaded('none', false, sysfs)).to.equal(0);
    expect(setThreaded('none', true, sysfs)).to.include({ code: 'WIREGUARD_UNTHREADED', value: 'none' });
  });
});
