/** The compiled launcher by itself: which socket it asks, what it prints, and when it leaves the answer to Node. */
import { expect } from 'chai';
import fc from 'fast-check';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCall, serveLaunchers } from '../../node/cni/launcher.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'cni-plugin', 'poplin');

/** In place of the Node program: says that it was asked, and what it was given. */
const FALLBACK = `#!/bin/sh\nprintf 'fallback %s ' "$CNI_COMMAND"\ncat\nexit 7\n`;

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
}

describe('the CNI launcher', () => {
  let folder: string;
  let run: string;
  const servers: { close(): unknown }[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-launcher-'));
    copyFileSync(LAUNCHER, join(folder, 'poplin'));
    chmodSync(join(folder, 'poplin'), 0o755);
    writeFileSync(join(folder, 'poplin-node'), FALLBACK, { mode: 0o755 });
  });
  beforeEach(() => {
    run = mkdtempSync(join(folder, 'run-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function launch(stdin: string, env: Record<string, string> = { CNI_COMMAND: 'ADD' }): Promise<Ran> {
    const child = spawn(join(folder, 'poplin'), [], { env: { PATH: '/bin', ...env }, stdio: 'pipe' });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout };
  }

  async function agent(answer: (socket: Socket, octets: Buffer) => void, at = run): Promise<Server> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
      socket.on('end', () => answer(socket, Buffer.concat(chunks)));
    });
    server.listen(join(at, 'cni.sock'));
    await once(server, 'listening');
    servers.push(server);
    return server;
  }

  const conf = (extra: object = {}): string =>
    JSON.stringify({ name: 'net', agent_socket: `${run}/agent.sock`, ...extra });

  it('gives the agent its CNI variables and standard input, prints the answer and ends with its code', async () => {
    let seen: ReturnType<typeof readCall>;
    await agent((socket, octets) => {
      seen = readCall(octets);
      socket.end('1 8\n{"a":1}\n');
    });
    const ran = await launch(conf(), { CNI_COMMAND: 'ADD', CNI_ARGS: 'A=ü;B=2', OTHER: 'no' });
    expect(ran).to.deep.equal({ code: 1, stdout: '{"a":1}\n' });
    expect(seen).to.deep.equal({ env: { CNI_COMMAND: 'ADD', CNI_ARGS: 'A=ü;B=2' }, stdin: conf() });
  });

  it('prints nothing when the answer is nothing', async () => {
    await agent((socket) => socket.end('0 0\n'));
    expect(await launch(conf())).to.deep.equal({ code: 0, stdout: '' });
  });

  it('carries megabytes both ways, in whatever pieces', async () => {
    const document = `${JSON.stringify({ big: 'x'.repeat(900_000) })}\n`;
    let got = '';
    await agent((socket, octets) => {
      got = readCall(octets)?.stdin ?? '';
      socket.write(`0 ${document.length}\n${document.slice(0, 10)}`);
      setTimeout(() => socket.end(document.slice(10)), 20);
    });
    const stdin = conf({ pad: 'y'.repeat(3_000_000) });
    const ran = await launch(stdin);
    expect(got === stdin).to.equal(true);
    expect(ran.code).to.equal(0);
    expect(ran.stdout === document).to.equal(true);
  });

  it('leaves it to Node, standard input untouched, when nobody answers', async () => {
    expect(await launch(conf())).to.deep.equal({ code: 7, stdout: `fallback ADD ${conf()}` });
  });

  for (const [what, torn] of [
    ['nothing', ''],
    ['half of its answer', '0 8\n{"a"'],
    ['more than it announced', '0 2\n{"a":1}\n'],
    ['no length', '0 \n'],
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a code that is none', '2 0\n'],
  ] as const) {
    it(`leaves it to Node when the agent dies after saying ${what}`, async () => {
      await agent((socket) => socket.end(torn));
      expect((await launch(conf())).stdout).to.equal(`fallback ADD ${conf()}`);
    });
  }

  it('says what is wrong when there is no Node program either', async () => {
    const lone = join(folder, 'lone');
    mkdirSync(lone);
    copyFileSync(LAUNCHER, join(lone, 'poplin'));
    chmodSync(join(lone, 'poplin'), 0o755);
    const child = spawn(join(lone, 'poplin'), [], { env: {}, stdio: 'pipe' });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stdin.end(conf());
    const [code] = (await once(child, 'close')) as [number];
    expect(code).to.equal(1);
    expect(JSON.parse(stdout)).to.include({ code: 5 });
  });

  it('refuses more than 8 MiB without asking anybody', async function () {
    this.timeout(120_000);
    let asked = false;
    await agent(() => (asked = true));
    const ran = await launch(' '.repeat((8 << 20) + 10));
    expect(ran.code).to.equal(1);
    expect(JSON.parse(ran.stdout)).to.include({ code: 5 });
    expect(asked).to.equal(false);
  });

  it('asks the agent that the configuration names, however the key lies in the JSON', async function () {
    this.timeout(120_000);
    // Keys and values that could be taken for the one key, beside it and nested.
    const key = fc.constantFrom('agent_socket', 'a', 'agent_socket"', 'agent_socket\\', 'prevResult', '');
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(
          'agent_socket',
          '/nowhere/agent.sock',
          '{"agent_socket":"/x/y"}',
          '\\',
          '"',
          7,
          null,
          true,
        ),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(key, tie('any'), { maxKeys: 3 }),
      ),
    })).any;
    const entries = fc.array(
      fc.tuple(
        key.filter((name) => name !== 'agent_socket'),
        value,
      ),
      { maxLength: 4 },
    );
    await agent((socket) => socket.end('0 5\nright'));
    await fc.assert(
      fc.asyncProperty(entries, entries, fc.constantFrom(0, 2, '\t'), async (before, after, indent) => {
        const whole = Object.fromEntries([
          ...before,
          ['agent_socket', `${run}/agent.sock`] as const,
          ...after,
        ]);
        const { stdout } = await launch(JSON.stringify(whole, undefined, indent));
        expect(stdout).to.equal('right');
      }),
      { numRuns: 250 },
    );
  });

  it('leaves to Node what only a JSON parser can read', async () => {
    await agent((socket) => socket.end('0 5\nwrong'));
    for (const text of [
      `{"agent_socket":"${run.replaceAll('/', '\\/')}/agent.sock"}`,
      '{"agent_socket":7}',
      '{"agent_socket":["/x"]}',
      `{"agent_socket":"${'/x'.repeat(80)}/agent.sock"}`,
      '{"agent_socket":"relative"}',
      '{"agent_socket":""}',
    ]) {
      expect((await launch(text)).stdout).to.equal(`fallback ADD ${text}`);
    }
  });

  it('is served by the agent with the code of the executable', async () => {
    servers.push(
      await serveLaunchers(run, (request) =>
        Promise.resolve({ exitCode: 0, output: { asked: request.command } }),
      ),
    );
    const add = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c', CNI_NETNS: '/n', CNI_IFNAME: 'eth0' };
    expect(await launch(conf({ cniVersion: '1.0.0' }), add)).to.deep.equal({
      code: 0,
      stdout: '{"asked":"ADD"}\n',
    });
    const version = await launch(conf({ cniVersion: '1.0.0' }), { CNI_COMMAND: 'VERSION' });
    expect(JSON.parse(version.stdout)).to.have.property('cniVersion', '1.0.0');
    const broken = await launch(`${conf()}}`, add);
    expect(broken.code).to.equal(1);
    expect(JSON.parse(broken.stdout)).to.include({ code: 6 });
  });
});
