/** `poplin node install-cni --watch`: stays, gets over what goes wrong, and puts back what is changed. */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../house/sources.ts';

describe('install-cni, watching', function () {
  this.timeout(180_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-watch-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('tries again after a failure, and puts back what others took or changed', async () => {
    const [binDir, confDir] = [join(folder, 'bin'), join(folder, 'net.d')];
    const conflist = join(confDir, '10-poplin.conflist');
    // A file in the place of a folder.
    writeFileSync(binDir, '');
    const words = ['--bin-dir', binDir, '--conf-dir', confDir, '--conf-name', '10-poplin.conflist'];
    const child = spawn(join(ROOT, 'bin', 'poplin'), ['node', 'install-cni', '--watch', '0.1', ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const ended = once(child, 'exit');
    try {
      await until('the failure', () => said.includes('will try again'));
      expect(existsSync(conflist)).to.equal(false);
      rmSync(binDir);
      await until('the configuration', () => existsSync(conflist));
      const whole = readFileSync(conflist, 'utf8');
      rmSync(join(binDir, 'poplin'));
      writeFileSync(conflist, '{');
      chmodSync(conflist, 0o644);
      await until(
        'all of it again',
        () => existsSync(join(binDir, 'poplin')) && readFileSync(conflist, 'utf8') === whole,
      );
      expect(statSync(conflist).mode & 0o777).to.equal(0o600);
      expect(child.exitCode).to.equal(null);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
});

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (holds()) return;
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`);
}
