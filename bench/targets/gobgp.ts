/** GoBGP: it installs no routes of itself. */
import { versionOf } from './version.ts';
import { familyWord, isInternal, ROUTER_ID, type Target } from './target.ts';
import type { Plan } from '../traffic/plan.ts';

const QUIET = ['-l', 'error', '--pprof-disable', '--api-hosts', '127.0.0.1:50051'];

export const gobgp: Target = {
  name: 'GoBGP',
  debian: 'gobgpd',
  version: () => versionOf('gobgpd', ['--version'], /version (\S+)/),
  files: (plan) => ({ 'gobgpd.toml': configuration(plan) }),
  command: (_, folder) => ['gobgpd', '-f', `${folder}/gobgpd.toml`, ...QUIET],
};

function configuration(plan: Plan): string {
  const family = familyWord(plan.version);
  const neighbours = plan.stations.map((station) => {
    const reflector = isInternal(plan, station)
      ? `  [neighbors.route-reflector.config]
    route-reflector-client = true
    route-reflector-cluster-id = "${ROUTER_ID}"
`
      : '';
    return `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${station.address}"
    peer-as = ${station.asn}
  [neighbors.timers.config]
    hold-time = 180
  [neighbors.transport.config]
    passive-mode = true
    local-address = "${plan.target.address}"
  [neighbors.graceful-restart.config]
    enabled = true
${reflector}  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "${family}-unicast"
`;
  });
  return `[global.config]
  as = ${plan.target.asn}
  router-id = "${ROUTER_ID}"
  local-address-list = ["${plan.target.address}"]
${neighbours.join('')}`;
}
