import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoplinError } from '../api/problem.ts';
import { askControlLines } from './ask-stream.ts';
import { type ControlRoutes, type ControlServer, askControl, serveControl } from './control.ts';
import { streamed, streamedLines } from './stream.ts';

interface Numbered {
  readonly i: number;
  readonly text: string;
}

const TEXT = 'x'.repeat(200);

function* failing(
  after: number,
  problem: { code: string; what: string; remedy: string },
): Generator<Numbered, void> {
  for (let i = 0; i < after; i++) yield { i, text: TEXT };
  throw new PoplinError([problem]);
}

describe('answers in pieces', () => {
  let folder: string;
  let path: string;
  let server: ControlServer | undefined;
  /** Values that the daemon has made so far. */
  let made = 0;

  beforeEach(() => {
    made = 0;
    folder = mkdtempSync(join(tmpdir(), 'poplin-stream-'));
    path = join(folder, 'd.sock');
  });

  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  function* count(to: number): Generator<Numbered | undefined, void> {
    for (let i = 0; i < to; i++) {
      made++;
      yield { i, text: TEXT };
      if (i % 10 === 0) yield undefined;
    }
  }

  async function serve(routes: ControlRoutes): Promise<void> {
    server = await serveControl(path, routes);
  }

  async function ask(url: string): Promise<AsyncIterable<Numbered>> {
    const answer = await askControlLines<Numbered>(path, url);
    if (!answer.ok) throw new PoplinError(answer.problems);
    return answer.value;
  }

  it('carries every value in order, and never holds up the daemon', async function () {
    this.timeout(120_000);
    await serve({ 'GET /many': () => streamedLines(count(100_000)) });
    // How many values are made before the event loop turns again, rather than how long that took.
    let most = 0;
    let before = 0;
    let watch = setImmediate(function turn() {
      most = Math.max(most, made - before);
      before = made;
      watch = setImmediate(turn);
    });
    let next = 0;
    for await (const { i } of await ask('/many')) expect(i).to.equal(next++);
    clearImmediate(watch);
    expect(next).to.equal(100_000);
    expect(most).to.be.within(1, 2_000);
  });

  it('makes no more than the caller reads', async () => {
    await serve({ 'GET /many': () => streamedLines(count(1_000_000)) });
    const values = (await ask('/many'))[Symbol.asyncIterator]();
    for (let i = 0; i < 10; i++) await values.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const held = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(made).to.equal(held);
    expect(made).to.be.below(50_000);
    await values.return?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // The caller has gone: at most the turn that ran was finished.
    expect(made).to.be.below(held + 20_000);
  });

  it('tells what is wrong from the start as any other answer does', async () => {
    const problem = { code: 'NO_SUCH_PEER', what: 'no such peer', remedy: 'name one' };
    await serve({
      'GET /wrong': () => {
        throw new PoplinError([problem]);
      },
      'GET /late': () => streamedLines(failing(0, problem)),
    });
    for (const url of ['/wrong', '/late'])
      expect(await askControlLines(path, url)).to.deep.equal({ ok: false, problems: [problem] });
    const missing = await askControlLines(path, '/none');
    expect(missing.ok ? [] : missing.problems.map(({ code }) => code)).to.deep.equal(['NO_SUCH_ROUTE']);
    await server?.close();
    server = undefined;
    const nobody = await askControlLines(path, '/many');
    expect(nobody.ok ? [] : nobody.problems.map(({ code }) => code)).to.deep.equal(['CONTROL_UNREACHABLE']);
  });

  it('lets nobody take half an answer for a whole one', async () => {
    await serve({
      'GET /half': () => streamedLines(failing(2000, { code: 'X', what: 'x', remedy: 'y' })),
    });
    let caught: unknown;
    try {
      for await (const _ of await ask('/half'));
    } catch (error) {
      caught = error;
    }
    expect(caught).to.be.instanceOf(PoplinError);
    expect((caught as PoplinError).problems.map(({ code }) => code)).to.deep.equal(['CONTROL_CUT']);
  });

  it('carries text as it is', async () => {
    await serve({ 'GET /text': () => streamed('text/plain', ['1', undefined, '2'].values()) });
    expect(await askControl(path, 'GET', '/text')).to.deep.equal({ ok: true, value: 12 });
  });
});
