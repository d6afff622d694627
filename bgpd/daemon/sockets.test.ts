/** Accepted connections as the daemon has them read: through another descriptor, into one buffer for all. */
import { expect } from 'chai';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { SystemClock } from '../../clock/system.ts';
import { Listener } from '../speaker/listener.ts';
import type { Reopen } from '../speaker/tcp.ts';
import type { TransportConnection } from '../speaker/transport.ts';
import { reopenSocket } from './sockets.ts';

/** More than any buffer takes at once, so that reading pauses and goes on. */
const LONG = 5_000_000;

/** The near end of a connection that the far end has opened, and all that it was told. */
interface Near {
  readonly connection: TransportConnection;
  readonly chunks: Uint8Array[];
  readonly lulls: () => number;
  readonly closed: Promise<string>;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('the connections that a daemon accepts', () => {
  let listener: Listener;
  let far: Socket;

  async function open(reopen: Reopen | undefined): Promise<Near> {
    const clock = new SystemClock();
    listener = new Listener({
      clock,
      port: 0,
      addresses: ['127.0.0.1'],
      ...(reopen === undefined ? {} : { reopen }),
    });
    await listener.listen();
    const chunks: Uint8Array[] = [];
    let lulls = 0;
    const closed = Promise.withResolvers<string>();
    const connection = new Promise<TransportConnection>((resolve) => {
      listener.expect('127.0.0.1', (incoming) =>
        resolve(
          incoming.adopt({
            connected: () => undefined,
            received: (chunk) => void chunks.push(chunk),
            lull: () => lulls++,
            progressed: () => undefined,
            drained: () => undefined,
            closed: closed.resolve,
          }),
        ),
      );
    });
    far = connect(listener.port, '127.0.0.1');
    far.on('error', () => undefined);
    // Before anybody may have read it.
    far.write('first');
    return { connection: await connection, chunks, lulls: () => lulls, closed: closed.promise };
  }

  afterEach(() => {
    far.destroy();
    listener.close();
  });

  for (const [how, reopen] of [
    ['reopened', reopenSocket],
    ['as Node makes them', undefined],
  ] as const)
    describe(how, () => {
      it('say who is there, and bring what was sent before anybody listened', async () => {
        const { connection, chunks, lulls } = await open(reopen);
        await until(() => chunks.length > 0);
        expect(Buffer.concat(chunks).toString()).to.equal('first');
        expect(lulls()).to.equal(1);
        expect([connection.localAddress, connection.remoteAddress]).to.deep.equal(['127.0.0.1', '127.0.0.1']);
      });

      it('bring a long stream whole and in order, in chunks that are the taker’s to keep', async () => {
        const { chunks } = await open(reopen);
        const sent = Buffer.from(Uint8Array.from({ length: LONG }, (_, i) => i % 251));
        for (let at = 0, length = 1; at < LONG; at += length, length = (length * 7) % 65_537)
          far.write(sent.subarray(at, at + length));
        await until(() => chunks.reduce((sum, { length }) => sum + length, 0) === LONG + 5);
        expect(Buffer.concat(chunks).subarray(5).equals(sent)).to.equal(true);
      });

      it('carry what is written, one piece or several', async () => {
        const { connection } = await open(reopen);
        connection.write([Buffer.from('one ')]);
        connection.write([Buffer.from('and '), Buffer.from('two')]);
        let heard = '';
        far.on('data', (chunk: Buffer) => (heard += chunk.toString()));
        await until(() => heard === 'one and two');
      });

      it('end when the peer ends them, or resets them', async () => {
        const { closed } = await open(reopen);
        far.end();
        expect(await closed).to.equal('the peer closed the connection');
        listener.close();
        const again = await open(reopen);
        await until(() => again.chunks.length > 0);
        far.resetAndDestroy();
        expect(await again.closed).to.match(/ECONNRESET/);
      });

      it('let go of every descriptor', async () => {
        const before = descriptors();
        const { connection } = await open(reopen);
        connection.close();
        far.resume();
        await once(far, 'close');
        listener.close();
        await until(() => descriptors() <= before);
      });
    });
});
