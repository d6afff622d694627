import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { askControl } from '../../daemon/control.ts';
import { until } from '../runner/until.ts';
import { type KnockResult, knock } from './knock.ts';

describe('knock', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  const cases: readonly { it: string; answer: (socket: Socket) => void; want: object }[] = [
    {
      it: 'is open when the greeting arrives, in however many pieces',
      answer: (socket) => {
        socket.write('{"name":"w",');
        setTimeout(() => socket.write('"you":"10.0.0.1"}\n'), 20);
      },
      want: { outcome: 'open', name: 'w', seenAs: '10.0.0.1' },
    },
    {
      it: 'is silence when the handshake is all there is',
      answer: () => undefined,
      want: { outcome: 'silence' },
    },
    {
      it: 'is refused when the other side hangs up',
      answer: (socket) => socket.end(),
      want: { outcome: 'refused', code: 'closed without a greeting' },
    },
    {
      it: 'is refused when somebody else answers',
      answer: (socket) => socket.write('SSH-2.0-x\n'),
      want: { outcome: 'refused', code: 'not a workload of the lab' },
    },
  ];
  for (const { it: name, answer, want } of cases)
    it(name, async () => {
      const port = await listen(answer);
      const { tookMs: _, ...result } = {
        tookMs: 0,
        ...(await knock({ address: '127.0.0.1', port, timeoutMs: 200 })),
      };
      expect(result).to.deep.equal(want);
    });

  it('is refused, with the reason, when nobody listens', async () => {
    const port = await listen(() => undefined);
    for (const server of servers.splice(0)) server.close();
    expect(await knock({ address: '127.0.0.1', port, timeoutMs: 1000 })).to.deep.equal({
      outcome: 'refused',
      code: 'ECONNREFUSED',
    });
  });

  function listen(answer: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      answer(socket);
    });
    servers.push(server);
    return new Promise((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
    );
  }
});

describe('program of a workload', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-workload-'));
  const socket = join(folder, 'control.sock');
  let child: ChildProcess;

  before(async () => {
    const port = 20_000 + (process.pid % 10_000);
    child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'main.ts'),
        'me',
        String(port),
        socket,
      ],
      { stdio: 'ignore' },
    );
    await until(async () => ((await askControl(socket, 'GET', '/health')).ok ? true : undefined), {
      withinMs: 8000,
    });
  });
  after(() => {
    child.kill();
    rmSync(folder, { recursive: true });
  });

  it('answers in both families with its name and the address it sees, and knocks when it is told to', async () => {
    const port = 20_000 + (process.pid % 10_000);
    const knocks = ['127.0.0.1', '::1'].map((address) => ({ address, port, timeoutMs: 1000 }));
    const answer = await askControl<KnockResult[]>(socket, 'POST', '/knock', { body: knocks });
    if (!answer.ok) throw new Error('no answer');
    expect(
      answer.value.map((result) => (result.outcome === 'open' ? `${result.name} ${result.seenAs}` : result)),
    ).to.deep.equal(['me 127.0.0.1', 'me ::1']);
  });
});
