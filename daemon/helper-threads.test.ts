/** What the threads of this process are called and how they stand is the system's to say. */
import { expect } from 'chai';
import { run } from '../net/kernel/index.ts';

describe('helper threads', () => {
  it('yield to the main thread, and it stays as it was', async () => {
    const script = `
      import { readdirSync, readFileSync } from 'node:fs';
      import { getPriority } from 'node:os';
      import { yieldHelpers } from '${import.meta.dirname}/helper-threads.ts';
      yieldHelpers();
      const threads = readdirSync('/proc/self/task').map((each) => [
        readFileSync('/proc/self/task/' + each + '/comm', 'utf8').trim().replace(/^.*-/, ''), getPriority(Number(each)) - getPriority(process.pid),
      ]);
      console.log(JSON.stringify(threads));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
    const threads = JSON.parse(stdout) as readonly (readonly [string, number])[];
    const helpers = threads.filter(([name]) => name === 'V8Worker');
    expect(helpers).to.not.deep.equal([]);
    expect(helpers.filter(([, nice]) => nice <= 0)).to.deep.equal([]);
    expect(threads.filter(([name, nice]) => name !== 'V8Worker' && nice !== 0)).to.deep.equal([]);
  });
});
