/**
 * Tests that wait for real daemons on a machine that others use too get a second try; the reporter says so each time,
 * so that a test that needs it often is seen. Tests of pure code, of the walls and of generated files get none.
 */
import { relative } from 'node:path';

const REAL_PARTS = /^test\/(?!house\/|fuzz\/)/;
const ROOT = new URL('..', import.meta.url).pathname;

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    const { currentTest } = this;
    if (currentTest?.file !== undefined && REAL_PARTS.test(relative(ROOT, currentTest.file)))
      currentTest.retries(1);
  },
};
