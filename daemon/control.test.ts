import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoplinError } from '../api/problem.ts';
import { type ControlServer, askControl, respond, serveControl } from './control.ts';

describe('control socket', () => {
  let folder: string;
  let path: string;
  let server: ControlServer | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-control-'));
    path = join(folder, 'run', 'd.sock');
  });

  afterEach(async () => {
    await server?.close();
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  it('carries a question and its answer, and lets only the owner connect', async () => {
    server = await serveControl(path, {
      'POST /double': ({ body, query }) => ({ body, query: query.get('n') }),
    });
    const answer = await askControl(path, 'POST', '/double?n=2', { body: { name: 'ü' } });
    expect(answer).to.deep.equal({ ok: true, value: { body: { name: 'ü' }, query: '2' } });
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('tells the problems of a handler, and survives one that throws', async () => {
    const problem = { code: 'X', what: 'no', remedy: 'yes' };
    server = await serveControl(path, {
      'GET /told': () => respond(409, { problems: [problem] }),
      'GET /rejected': () => Promise.reject(new PoplinError([problem])),
      'GET /bug': () => {
        throw new TypeError('a bug');
      },
    });
    expect(await askControl(path, 'GET', '/told')).to.deep.equal({ ok: false, problems: [problem] });
    expect(await askControl(path, 'GET', '/rejected')).to.deep.equal({ ok: false, problems: [problem] });
    expect(await code('/bug')).to.equal('INTERNAL');
    expect(await code('/toString')).to.equal('NO_SUCH_ROUTE');
  });

  it('says when nothing listens, when no answer comes, and when the body is not JSON', async () => {
    expect(await code('/')).to.equal('CONTROL_UNREACHABLE');
    server = await serveControl(path, { 'GET /never': () => new Promise(() => {}) });
    expect(await code('/never', 50)).to.equal('CONTROL_TIMEOUT');
  });

  it('replaces the socket of a dead process, and refuses to take that of a living one', async () => {
    server = await serveControl(path, {});
    let refused: unknown;
    await serveControl(path, {}).catch((error: unknown) => {
      refused = error;
    });
    expect(refused).to.be.instanceOf(PoplinError);
    await server.close();
    writeFileSync(path, '');
    server = await serveControl(path, { 'GET /': () => 1 });
    expect(await askControl(path, 'GET', '/')).to.deep.equal({ ok: true, value: 1 });
  });

  async function code(url: string, deadlineMs = 5000): Promise<string | undefined> {
    const answer = await askControl(path, 'GET', url, { deadlineMs });
    return answer.ok ? undefined : answer.problems[0]?.code;
  }
});
