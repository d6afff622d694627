/**
 * A process that attacks a speaker over real TCP. Its argument is JSON, {@link Attack}; it writes `ready` once it has
 * done what it can at once, and lives until it is killed.
 */
import { connect, type Socket } from 'node:net';
import { encodeKeepalive, encodeOpen, encodeRouteRefresh } from '../../bgpd/wire/index.ts';
import { framed, joined, u16, u32 } from './draft.ts';

export interface Attack {
  readonly target: string;
  readonly asn: number;
  /** `connect`: so many connections, each with an OPEN; `silent`: without. `mute`: asks for everything and reads nothing. `flood`: UPDATEs without end. */
  readonly how: 'connect' | 'silent' | 'mute' | 'flood';
  readonly connections?: number;
}

const open = (asn: number): Uint8Array =>
  encodeOpen({
    version: 4,
    asn,
    holdSeconds: 0,
    routerId: 0x0a00_0901,
    capabilities: [{ code: 1, afi: 1, safi: 1 }, { code: 2 }, { code: 65, asn }],
  });

function dial(attack: Attack): Socket {
  const socket = connect({ host: attack.target, port: 179 });
  socket.on('error', () => undefined);
  return socket;
}

/** Tries until it is let in: the speaker holds off who has misbehaved. `then` gets the socket once KEEPALIVEs have met. */
function established(attack: Attack, then: (socket: Socket) => void): void {
  const socket = dial(attack);
  socket.write(joined([open(attack.asn), encodeKeepalive()]));
  socket.once('data', () => {
    socket.removeAllListeners('close');
    then(socket);
    process.stdout.write('ready\n');
  });
  socket.once('close', () => setTimeout(() => established(attack, then), 500));
}

function main(attack: Attack): void {
  switch (attack.how) {
    case 'connect':
    case 'silent': {
      let left = attack.connections ?? 1;
      for (let i = left; i > 0; i--) {
        const socket = dial(attack);
        socket.on('connect', () => {
          if (attack.how === 'connect') socket.write(open(attack.asn));
          if (--left === 0) process.stdout.write('ready\n');
        });
        socket.on('close', () => undefined);
        // Neither read nor closed from here.
        socket.pause();
      }
      return;
    }
    case 'mute': {
      const request = encodeRouteRefresh({ family: 'ipv4-unicast', subtype: 0 });
      const requests = joined(Array.from({ length: 1_000 }, () => request));
      established(attack, (socket) => {
        socket.pause();
        setInterval(() => {
          if (socket.writableLength < 1_000_000) socket.write(requests);
        }, 10);
      });
      return;
    }
    case 'flood': {
      let wave = 0;
      established(attack, (socket) => {
        const more = (): void => {
          while (socket.write(updates(attack.asn, wave++)));
        };
        socket.resume();
        socket.on('drain', more);
        more();
      });
    }
  }
}

/** Some 60 KB: packed announcements of the same 100,000 prefixes over and over, never twice with the same attributes. */
function updates(asn: number, wave: number): Uint8Array {
  const messages: Uint8Array[] = [];
  for (let i = 0; i < 15; i++) {
    const number = wave * 15 + i;
    const nlri = new Uint8Array(4 * 950);
    for (let n = 0; n < 950; n++) {
      const prefix = (number * 950 + n) % 100_000;
      nlri.set([24, 20 + (prefix >> 16), (prefix >> 8) & 255, prefix & 255], 4 * n);
    }
    const attributes = joined([
      Uint8Array.of(0x40, 1, 1, 0, 0x40, 2, 6, 2, 1),
      u32(asn),
      Uint8Array.of(0x40, 3, 4, 10, 0, 1, 2, 0x80, 4, 4),
      u32(number),
    ]);
    messages.push(framed(2, joined([u16(0), u16(attributes.length), attributes, nlri])));
  }
  return joined(messages);
}

main(JSON.parse(process.argv[2] ?? '{}') as Attack);
