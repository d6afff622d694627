import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { NODE_FLAGS } from './node-flags.ts';

describe('the flags of Node for bgpd', () => {
  it('are the same in the launcher', () => {
    const launcher = readFileSync(join(import.meta.dirname, '../../bin/poplin'), 'utf8');
    expect(launcher).to.contain(`if [ "\${1:-}" = bgpd ]; then flags='${NODE_FLAGS.join(' ')}'; fi`);
  });
});
