/** `poplin bgpd` as one would run it, flags and all: a configuration, no datastore, and no routes in the kernel. */
import { join } from 'node:path';
import type { Plan, Station } from '../traffic/plan.ts';
import { isInternal, ROUTER_ID, type Target } from './target.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROBE = join(ROOT, 'bench/stall-probe.ts');
const LAUNCHER = join(ROOT, 'bin/poplin');

export const poplin: Target = {
  name: 'Poplin',
  version: () => Promise.resolve(`on Node ${process.versions.node}`),
  // JSON is YAML.
  files: (plan, folder) => ({ 'router.yaml': JSON.stringify(configuration(plan, folder), undefined, 2) }),
  command: (_, folder) => [
    'env',
    `NODE_OPTIONS=--import=${PROBE}`,
    LAUNCHER,
    'bgpd',
    '--log-level',
    'warn',
    '--config',
    join(folder, 'router.yaml'),
  ],
  probed: true,
};

function configuration(plan: Plan, folder: string): object {
  return {
    asNumber: plan.target.asn,
    routerId: ROUTER_ID,
    listen: { port: plan.target.port, addresses: [plan.target.address] },
    kernelExport: false,
    controlSocket: join(folder, 'bgpd.sock'),
    peerGroups: {
      stations: {
        passive: true,
        families: [plan.version === 4 ? 'ipv4-unicast' : 'ipv6-unicast'],
        timers: { holdSeconds: 180 },
        requirePolicy: false,
      },
    },
    peers: plan.stations.map((station) => peerOf(plan, station)),
  };
}

function peerOf(plan: Plan, station: Station): object {
  const { address, asn } = station;
  return { address, asNumber: asn, group: 'stations', routeReflectorClient: isInternal(plan, station) };
}
