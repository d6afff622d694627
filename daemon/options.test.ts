import { expect } from 'chai';
import { parseDaemonOptions } from './options.ts';

describe('daemon options', () => {
  it('takes flags before the environment and the environment before defaults', () => {
    const env = { POPLIN_NODE: 'from-env', POPLIN_DATASTORE: '/env.db' };
    const parsed = parseDaemonOptions(['--node', 'from-flag', '--bound=5'], env, ['bound']);
    expect(parsed).to.deep.equal({
      ok: true,
      value: {
        node: 'from-flag',
        datastore: '/env.db',
        runDir: '/run/poplin',
        logLevel: 'info',
        extra: { bound: '5' },
      },
    });
  });

  for (const { it: name, argv, code } of [
    { it: 'an unknown flag', argv: ['--nodes', 'a'], code: 'USAGE' },
    { it: 'a flag without its value', argv: ['--node'], code: 'USAGE' },
    { it: 'a stray word', argv: ['a1'], code: 'USAGE' },
    { it: 'a log level that does not exist', argv: ['--log-level', 'loud'], code: 'OPTION_INVALID' },
  ]) {
    it(`refuses ${name}`, () => {
      const parsed = parseDaemonOptions(argv, {});
      expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.code)).to.deep.equal([code]);
    });
  }
});
