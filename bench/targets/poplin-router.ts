/** The speaker of `poplin/bgp` set up by the plan of a run, as the other routers are by their files. */
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import {
  ACCEPT_ALL,
  Listener,
  type PeerConfig,
  Speaker,
  TcpSessions,
  TcpTransport,
} from '../../bgpd/index.ts';
import { SystemClock } from '../../clock/system.ts';
import type { Plan, Station } from '../traffic/plan.ts';
import { isInternal } from './target.ts';

const ROUTER_ID = 0x0a130001;

async function main(): Promise<void> {
  const plan: Plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
  const clock = new SystemClock();
  const listener = new Listener({ clock, port: plan.target.port, addresses: [plan.target.address], log });
  const random = Math.random.bind(Math);
  const sessions = new TcpSessions({ clock, transport: new TcpTransport(clock), random, listener, log });
  const speaker = new Speaker({ clock, sessions });
  speaker.configure({
    asn: plan.target.asn,
    routerId: ROUTER_ID,
    peers: plan.stations.map((station) => peerOf(plan, station)),
    originated: [],
    addresses: [],
  });
  await listener.listen();
}

function log(level: string, text: string): void {
  if (level === 'warn') console.error(text);
}

function peerOf(plan: Plan, station: Station): PeerConfig {
  return {
    session: {
      name: station.address,
      peerAddress: station.address,
      peerPort: plan.target.port,
      peerAsn: station.asn,
      localAsn: plan.target.asn,
      routerId: ROUTER_ID,
      holdSeconds: 180,
      connectRetrySeconds: 120,
      passive: true,
      families: [plan.version === 4 ? 'ipv4-unicast' : 'ipv6-unicast'],
      gracefulRestart: { restartSeconds: 120 },
    },
    importPolicy: ACCEPT_ALL,
    exportPolicy: ACCEPT_ALL,
    reflectorClient: isInternal(plan, station),
  };
}

if (isMainThread) await main();
