/**
 * Tests that wait for real routers and runtimes on a machine that others use too get a second try; the reporter says so
 * each time, so that a test that needs it often is seen. All others get none: least of all those of what must never
 * happen even once (a leaked packet, a lost write), where a second try would hide the very thing that they look for.
 */
import { relative } from 'node:path';

const REAL_PARTS = /^test\/(?:cni|interop|lab)\//;
const ROOT = new URL('..', import.meta.url).pathname;

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    const { currentTest } = this;
    if (currentTest?.file !== undefined && REAL_PARTS.test(relative(ROOT, currentTest.file)))
      currentTest.retries(1);
  },
};
