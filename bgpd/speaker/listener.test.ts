import { type Socket, connect } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { Listener } from './listener.ts';
import { TcpTransport } from './tcp.ts';
import type { ConnectionHandler, IncomingConnection, TransportConnection } from './transport.ts';

/** What a connection told, as text, with the octets as they came. */
function recorder(): { handler: ConnectionHandler; told: string[]; next: () => Promise<void> } {
  const told: string[] = [];
  let wake: (() => void) | undefined;
  const note = (text: string): void => {
    told.push(text);
    wake?.();
  };
  return {
    told,
    next: () => new Promise((resolve) => (wake = resolve)),
    handler: {
      connected: () => note('connected'),
      received: (chunk) => note(`received ${Buffer.from(chunk).toString()}`),
      progressed: () => undefined,
      drained: () => note('drained'),
      closed: (reason) => note(`closed: ${reason}`),
    },
  };
}

describe('Listener and TcpTransport', () => {
  const clock = new SystemClock();
  let listener: Listener;
  let lines: string[];

  beforeEach(async () => {
    lines = [];
    listener = new Listener({
      clock,
      port: 0,
      addresses: ['127.0.0.1'],
      log: (_level, text) => void lines.push(text),
    });
    await listener.listen();
  });
  afterEach(() => listener.close());

  function accepted(): Promise<IncomingConnection> {
    return new Promise((resolve) => {
      listener.expect('127.0.0.1', resolve);
    });
  }

  async function pair(): Promise<{
    near: TransportConnection;
    far: TransportConnection;
    nearSide: ReturnType<typeof recorder>;
    farSide: ReturnType<typeof recorder>;
  }> {
    const nearSide = recorder();
    const farSide = recorder();
    const incoming = accepted();
    const near = new TcpTransport(clock).connect(
      { address: '127.0.0.1', port: listener.port },
      nearSide.handler,
    );
    expect(nearSide.told, 'nothing is told before connect returns').to.deep.equal([]);
    const far = (await incoming).adopt(farSide.handler);
    if (nearSide.told.length === 0) await nearSide.next();
    return { near, far, nearSide, farSide };
  }

  /** What the adopter is told of a caller that has done this meanwhile; the caller's side is at rest by then. */
  async function late(does: (socket: Socket) => void, ended: boolean): Promise<string[]> {
    const incoming = accepted();
    const socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const call = await incoming;
    does(socket);
    if (ended) await once(socket, 'close');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { handler, told, next } = recorder();
    const connection = call.adopt(handler);
    expect(told, 'nothing is told before adopt returns').to.deep.equal([]);
    await next();
    connection.close();
    socket.destroy();
    return told;
  }

  it('lets nobody in where a password is wanted and nothing here can check it, nor calls anybody', async () => {
    let came = false;
    const forget = listener.expect('127.0.0.1', () => (came = true), 'secret');
    const near = recorder();
    new TcpTransport(clock).connect({ address: '127.0.0.1', port: listener.port }, near.handler);
    while (!near.told.some((text) => text.startsWith('closed'))) await near.next();
    expect(came).to.equal(false);
    expect(lines.join()).to.include('whose password nothing here can check').and.to.not.include('secret');
    forget();
    const far = recorder();
    const target = { address: '127.0.0.1', port: listener.port, password: 'secret' };
    new TcpTransport(clock).connect(target, far.handler);
    await far.next();
    expect(far.told).to.deep.equal(['closed: nothing here can sign with a password']);
  });

  it('hands a connection to whoever expects its address, and carries octets both ways', async () => {
    const { near, far, nearSide, farSide } = await pair();
    expect(near.localAddress).to.equal('127.0.0.1');
    expect(far.remoteAddress).to.equal('127.0.0.1');
    expect(near.write([Buffer.from('a'), Buffer.from('b')])).to.equal(true);
    await farSide.next();
    far.write([Buffer.from('c')]);
    await nearSide.next();
    expect(farSide.told).to.deep.equal(['received ab']);
    expect(nearSide.told).to.deep.equal(['connected', 'received c']);
    near.close();
    await farSide.next();
    expect(farSide.told.at(-1)).to.equal('closed: the peer closed the connection');
    expect(nearSide.told, 'our own close tells us nothing').to.have.length(2);
  });

  describe('a connection that is adopted long after it came', () => {
    it('has kept what was said', async () =>
      expect(await late((socket) => socket.write('early'), false)).to.deep.equal(['received early']));

    it('has kept that it is over', async () =>
      expect(await late((socket) => socket.destroy(), true)).to.deep.equal([
        'closed: the peer closed the connection',
      ]));

    it('survives a reset before and after it is adopted or refused', async () => {
      expect((await late((socket) => socket.resetAndDestroy(), true)).join()).to.match(/^closed: /);
      const incoming = accepted();
      const socket = connect(listener.port, '127.0.0.1');
      socket.on('error', () => undefined);
      const call = await incoming;
      socket.resetAndDestroy();
      await once(socket, 'close');
      call.refuse();
    });
  });

  it('delivers the last words before the end, though the other side still sends', async () => {
    const { near, far, farSide } = await pair();
    far.write([Buffer.alloc(100_000, 'x')]);
    near.write([Buffer.from('last words')]);
    near.close();
    while (!farSide.told.some((text) => text.startsWith('closed'))) await farSide.next();
    expect(farSide.told.filter((text) => text !== 'drained')).to.deep.equal([
      'received last words',
      'closed: the peer closed the connection',
    ]);
  });

  it('says when the buffer is full, and when there is room again', async () => {
    const { near, far, nearSide } = await pair();
    expect(near.write([Buffer.alloc(50_000_000)])).to.equal(false);
    expect(near.buffered).to.be.above(0);
    while (!nearSide.told.includes('drained')) await nearSide.next();
    expect(near.buffered).to.equal(0);
    near.close();
    far.close();
  });

  it('tells why a connection could not be made', async () => {
    const port = listener.port;
    listener.close();
    const { handler, told, next } = recorder();
    new TcpTransport(clock).connect({ address: '127.0.0.1', port }, handler);
    await next();
    expect(told).to.deep.equal([`closed: connect ECONNREFUSED 127.0.0.1:${port}`]);
  });

  it('gives up an attempt quietly', async () => {
    const { handler, told } = recorder();
    new TcpTransport(clock).connect({ address: '127.0.0.1', port: listener.port }, handler).close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(told).to.deep.equal([]);
  });

  it('closes a stranger’s connection at once, and says who it was', async () => {
    const socket: Socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(lines).to.deep.equal(['connection from 127.0.0.1, which is no configured peer, closed']);
  });

  it('expects nobody any more once told so, but keeps a newer acceptor', async () => {
    const forget = listener.expect('127.0.0.1', () => expect.fail('the old acceptor was called'));
    const incoming = accepted();
    forget();
    const socket = connect(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    (await incoming).refuse();
    await once(socket, 'close');
  });

  it('fails with the system’s reason when the port is taken', async () => {
    const second = new Listener({ clock, port: listener.port, addresses: ['127.0.0.1'] });
    const error = await second.listen().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.have.property('code', 'EADDRINUSE');
  });
});
