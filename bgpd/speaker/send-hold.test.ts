/** RFC 9687 over the machine's TCP: a peer that keeps its side alive and reads nothing. Time runs 400 times as fast. */
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import { encodeKeepalive, encodeOpen } from '../wire/index.ts';
import { Listener } from './listener.ts';
import { Peer } from './peer.ts';
import type { DownReason, SessionEvents } from './session.ts';
import { TcpTransport } from './tcp.ts';

const SPEED = 400;

/** The machine's clock for a process in a hurry. */
class HastyClock implements Clock {
  readonly #clock = new SystemClock();

  now(): Millis {
    return this.#clock.now() * SPEED;
  }
  wall(): Date {
    return this.#clock.wall();
  }
  after(delay: Millis, name: string, fire: () => void): Cancel {
    return this.#clock.after(delay / SPEED, name, fire);
  }
}

const MAX_MESSAGE = new Uint8Array(4096);

/** A peer of AS 65002 that says KEEPALIVE as it should, and reads as long as it is told to. */
async function session(reads: boolean): Promise<{ readonly downs: DownReason[]; readonly seconds: number }> {
  const clock = new HastyClock();
  const listener = new Listener({ clock, port: 0, addresses: ['127.0.0.1'] });
  await listener.listen();
  const downs: DownReason[] = [];
  let since = 0;
  let breathing: NodeJS.Timeout | undefined;
  let socket: Socket | undefined;
  let peer: Peer | undefined;
  try {
    await new Promise<void>((resolve) => {
      const events: SessionEvents = {
        established: (up) => {
          since = clock.now();
          if (!reads) socket?.pause();
          // More than the buffers of both kernels hold.
          const send = (): void => {
            if (up.negotiated === undefined) return;
            if (up.send([MAX_MESSAGE])) setTimeout(send, reads ? 5 : 0);
          };
          send();
          if (reads) clock.after(600_000, 'long enough', resolve);
        },
        update: () => undefined,
        refresh: () => undefined,
        writable: () => undefined,
        down: (_session, reason) => {
          downs.push(reason);
          resolve();
        },
      };
      const ours = new Peer({
        config: {
          name: 'deaf',
          peerAddress: '127.0.0.1',
          peerPort: 1,
          peerAsn: 65002,
          localAsn: 65001,
          routerId: 1,
          holdSeconds: 90,
          connectRetrySeconds: 5,
          passive: true,
          families: ['ipv4-unicast'],
        },
        events,
        transport: new TcpTransport(clock),
        clock,
        random: () => 1,
      });
      peer = ours;
      listener.expect('127.0.0.1', (incoming) => ours.accept(incoming));
      ours.start();
      socket = connect(listener.port, '127.0.0.1', () => {
        const open = { version: 4, asn: 65002, holdSeconds: 90, routerId: 2, capabilities: [] } as const;
        socket?.write(encodeOpen(open));
        socket?.write(encodeKeepalive());
        breathing = setInterval(() => socket?.write(encodeKeepalive()), 30_000 / SPEED);
      });
      socket.on('error', () => undefined);
      socket.resume();
    });
    return { downs: [...downs], seconds: (clock.now() - since) / 1000 };
  } finally {
    clearInterval(breathing);
    peer?.stop();
    socket?.destroy();
    listener.close();
  }
}

describe('SendHoldTimer (RFC 9687) over TCP', function () {
  this.timeout(120_000);

  it('ends the session of a peer that reads nothing for 8 minutes, though its KEEPALIVEs come', async () => {
    const { downs, seconds } = await session(false);
    expect(downs).to.have.length(1);
    expect(downs[0]).to.have.nested.property('notification.code', 8);
    // Not before its time; how much later it fires, on a machine that has other things to do, nobody promises.
    expect(seconds).to.be.at.least(480);
  });

  it('leaves alone one that reads', async () => {
    const { downs } = await session(true);
    expect(downs).to.deep.equal([]);
  });
});
