/**
 * Attacks over real TCP, from another process in a namespace of its own, on a speaker that also has an honest peer with
 * a hold time of three seconds: that session stands, its routes move, and what the attack takes is bounded.
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { ACCEPT_ALL } from '../../bgpd/filter/policy.ts';
import type { PeerConfig, SpeakerConfig } from '../../bgpd/speaker/config.ts';
import { Listener } from '../../bgpd/speaker/listener.ts';
import { TcpSessions } from '../../bgpd/speaker/sessions.ts';
import { Speaker } from '../../bgpd/speaker/speaker.ts';
import { TcpTransport } from '../../bgpd/speaker/tcp.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { eventually } from '../interop/peers/eventually.ts';
import { Lab } from '../interop/peers/lab.ts';
import { bindIn, dialFrom } from '../interop/peers/poplin.ts';
import { addressOf, prefixOf } from './arena.ts';
import type { Attack } from './attacker.ts';

const MIB = 1024 * 1024;

/** A speaker with sockets in a node of the lab. */
class Node {
  readonly speaker: Speaker;
  readonly lines: string[] = [];
  readonly #listener: Listener;

  constructor(lab: Lab, node: string) {
    const clock = new SystemClock();
    const netns = lab.netns(node);
    const log = (_level: string, text: string): void => void this.lines.push(text);
    this.#listener = new Listener({ clock, port: 179, bind: bindIn(netns), log });
    const transport = new TcpTransport(clock, dialFrom(netns));
    const sessions = new TcpSessions({
      clock,
      transport,
      random: Math.random,
      listener: this.#listener,
      log,
    });
    this.speaker = new Speaker({ clock, sessions });
  }

  async start(config: SpeakerConfig): Promise<void> {
    await this.#listener.listen();
    this.speaker.configure(config);
  }

  state(peer: string): string | undefined {
    return this.speaker.neighbours.find(({ name }) => name === peer)?.session.state;
  }

  ups(peer: string): number | undefined {
    return this.speaker.neighbours.find(({ name }) => name === peer)?.session.counters.establishedTransitions;
  }

  knows(prefix: string): boolean {
    const { locRib, index } = this.speaker.tables['ipv4-unicast'];
    const id = index.find(prefixOf(prefix));
    return id !== undefined && locRib.best(id) !== undefined;
  }

  stop(): void {
    this.speaker.stop('shutdown');
    this.#listener.close();
  }
}

function peer(
  name: string,
  local: string,
  localAsn: number,
  address: string,
  asn: number,
  passive: boolean,
): PeerConfig {
  return {
    session: {
      name,
      peerAddress: address,
      peerPort: 179,
      peerAsn: asn,
      localAsn,
      routerId: addressOf(local).w0,
      holdSeconds: name === 'bad' ? 90 : 3,
      connectRetrySeconds: 1,
      passive,
      families: ['ipv4-unicast'],
    },
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
  };
}

function config(
  local: string,
  asn: number,
  peers: readonly PeerConfig[],
  originated: readonly string[],
): SpeakerConfig {
  return {
    asn,
    routerId: addressOf(local).w0,
    peers,
    originated: originated.map((text) => ({ prefix: prefixOf(text), kernel: 'none' })),
    addresses: [addressOf(local)],
  };
}

function goodConfig(originated: readonly string[]): SpeakerConfig {
  return config('10.0.0.2', 65001, [peer('hub', '10.0.0.2', 65001, '10.0.0.1', 65101, false)], originated);
}

function sockets(): number {
  return readdirSync('/proc/self/fd').length;
}

describeOnKernel('an attack over TCP', function () {
  this.timeout(120_000);
  let lab: Lab;
  let node: Node;
  let good: Node;
  let attacker: ChildProcess | undefined;

  before(async () => {
    lab = new Lab();
    for (const name of ['p', 'g', 'x']) await lab.node(name);
    await lab.link(
      { node: 'p', interface: 'eth0', addresses: ['10.0.0.1/30'] },
      { node: 'g', interface: 'eth0', addresses: ['10.0.0.2/30'] },
    );
    await lab.link(
      { node: 'p', interface: 'eth1', addresses: ['10.0.1.1/30'] },
      { node: 'x', interface: 'eth0', addresses: ['10.0.1.2/30', '10.0.1.3/30'] },
    );
    node = new Node(lab, 'p');
    good = new Node(lab, 'g');
    const many = Array.from({ length: 20_000 }, (_, i) => `30.${i >> 8}.${i & 255}.0/24`);
    await node.start(
      config(
        '10.0.0.1',
        65101,
        [
          peer('good', '10.0.0.1', 65101, '10.0.0.2', 65001, true),
          peer('bad', '10.0.0.1', 65101, '10.0.1.2', 65002, true),
        ],
        many,
      ),
    );
    await good.start(goodConfig(['198.51.100.0/24']));
    await eventually(
      'the honest session',
      () => node.state('good'),
      (state) => state === 'Established',
    );
    await eventually(
      'its route',
      () => node.knows('198.51.100.0/24'),
      (known) => known,
    );
  });

  beforeEach(() => {
    node.lines.length = 0;
  });

  afterEach(async () => {
    if (attacker !== undefined) await lab.kill(attacker);
    attacker = undefined;
    expect([node.state('good'), node.ups('good')], 'the honest session').to.deep.equal(['Established', 1]);
    await eventually(
      'the attacker gone',
      () => node.state('bad'),
      (state) => state !== 'Established',
    );
  });

  after(async () => {
    node.stop();
    good.stop();
    await lab.close();
  });

  async function attack(how: Omit<Attack, 'target' | 'asn'>): Promise<void> {
    const argument: Attack = { target: '10.0.1.1', asn: 65002, ...how };
    const script = join(import.meta.dirname, 'attacker.ts');
    const child = lab.start('x', process.execPath, [script, JSON.stringify(argument)]);
    attacker = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', () => reject(new Error('the attacker has ended')));
    });
  }

  /** A route of the honest peer comes and goes while the attack lasts. */
  async function flap(prefix: string): Promise<void> {
    for (const there of [true, false]) {
      good.speaker.configure(goodConfig(there ? ['198.51.100.0/24', prefix] : ['198.51.100.0/24']));
      await eventually(
        `${prefix} ${there ? 'there' : 'gone'}`,
        () => node.knows(prefix),
        (known) => known === there,
      );
    }
  }

  for (const how of ['connect', 'silent'] as const) {
    const what = how === 'connect' ? 'each with an OPEN' : 'without a word';
    it(`a thousand connections at once from the address of a peer, ${what}, neither read nor closed`, async () => {
      const before = sockets();
      await attack({ how, connections: 1_000 });
      expect(sockets() - before, 'sockets held at once').to.be.below(60);
      await flap('198.51.101.0/24');
      await eventually('their sockets closed', sockets, (count) => count <= before + 4);
      expect(node.lines.length, 'log lines').to.be.below(40);
    });
  }

  it('a peer that asks for everything a hundred thousand times a second, and never reads', async () => {
    const before = process.memoryUsage().rss;
    await attack({ how: 'mute' });
    await eventually(
      'the session of the mute',
      () => node.state('bad'),
      (state) => state === 'Established',
    );
    for (let i = 0; i < 5; i++) {
      await flap(`198.51.${110 + i}.0/24`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect((process.memoryUsage().rss - before) / MIB, 'MiB grown').to.be.below(150);
  });

  it('a flood of UPDATEs, never twice the same, for five seconds', async () => {
    await attack({ how: 'flood' });
    const before = process.memoryUsage().rss;
    const end = performance.now() + 5_000;
    for (let i = 0; performance.now() < end; i = (i + 1) % 50) {
      await flap(`198.51.${120 + i}.0/24`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect((process.memoryUsage().rss - before) / MIB, 'MiB grown').to.be.below(300);
  });
});
