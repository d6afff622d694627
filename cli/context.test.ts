import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { temporaryFolder } from '../datastore/testing.ts';
import { UsageError } from './command.ts';
import { chooseDatastore, chooseRunDirs, labContext } from './context.ts';

describe('what a command means when it is not told', () => {
  let context = '';
  const lab = { lab: 'quickstart', datastore: '/var/lib/lab.db', state: '/run/lab' };

  beforeEach(() => {
    context = join(temporaryFolder(), 'context.json');
    writeFileSync(context, JSON.stringify(lab));
  });
  const env = (extra: Record<string, string> = {}): Record<string, string> => ({
    POPLIN_CONTEXT: context,
    ...extra,
  });

  it('is the datastore of the option, else the environment, else the lab, else the machine', () => {
    const both = env({ POPLIN_DATASTORE: '/env.db' });
    expect(chooseDatastore('/option.db', both)).to.equal('/option.db');
    expect(chooseDatastore(undefined, both)).to.equal('/env.db');
    expect(chooseDatastore(undefined, env({ POPLIN_DATASTORE: '' }))).to.equal('/var/lib/lab.db');
    expect(chooseDatastore(undefined, { POPLIN_CONTEXT: '/nowhere' })).to.equal(
      '/var/lib/poplin/datastore.db',
    );
  });

  it('is every node of the lab, or those that are named, or the one whose run directory is said', () => {
    const runDirs = (option: string | undefined, nodes: string[], extra = {}): string[] =>
      chooseRunDirs(option, nodes, env(extra), list).map(({ runDir }) => runDir);
    expect(runDirs(undefined, [])).to.deep.equal(['/run/lab/nodes/a1', '/run/lab/nodes/a2']);
    expect(runDirs(undefined, ['a2'])).to.deep.equal(['/run/lab/nodes/a2']);
    expect(() => runDirs(undefined, ['b7'])).to.throw(UsageError, 'has no Poplin node "b7"; it has a1, a2');
    expect(runDirs('/run/x', [])).to.deep.equal(['/run/x']);
    expect(runDirs(undefined, [], { POPLIN_RUN_DIR: '/run/y' })).to.deep.equal(['/run/y']);
    expect(chooseRunDirs(undefined, [], { POPLIN_CONTEXT: '/nowhere' }, list)).to.deep.equal([
      { node: undefined, runDir: '/run/poplin' },
    ]);
  });

  it('is not taken from a file that is no context', () => {
    for (const text of ['', 'null', '{"lab": 1}', '[]']) {
      writeFileSync(context, text);
      expect(labContext(env()), text).to.equal(undefined);
    }
  });
});

function list(): string[] {
  return ['a1', 'a2'];
}
