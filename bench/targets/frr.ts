/** FRR's bgpd alone: no zebra, and so no routes in the kernel and every next hop taken as reachable. */
import { versionOf } from './version.ts';
import { familyWord, isInternal, ROUTER_ID, type Target } from './target.ts';
import type { Plan } from '../traffic/plan.ts';

const BGPD = '/usr/lib/frr/bgpd';
const ALONE = ['--no_kernel', '--no_zebra', '--skip_runas', '--vty_port', '0'];

export const frr: Target = {
  name: 'FRR',
  debian: 'frr',
  version: () => versionOf(BGPD, ['--version'], /version (\S+)/),
  files: (plan) => ({ 'frr.conf': configuration(plan) }),
  command: (plan, folder) => [BGPD, ...paths(folder), ...ALONE, '--listenon', plan.target.address],
};

function paths(folder: string): readonly string[] {
  const log = `file:${folder}/bgpd.log`;
  return ['-f', `${folder}/frr.conf`, '-i', `${folder}/bgpd.pid`, '--vty_socket', folder, '--log', log];
}

function configuration(plan: Plan): string {
  const peers = plan.stations.map(
    ({ address, asn }) => ` neighbor ${address} remote-as ${asn}\n neighbor ${address} peer-group STATION\n`,
  );
  const clients = plan.stations.every((station) => isInternal(plan, station))
    ? '  neighbor STATION route-reflector-client\n'
    : '';
  return `frr defaults datacenter
router bgp ${plan.target.asn}
 bgp router-id ${ROUTER_ID}
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 neighbor STATION peer-group
 neighbor STATION passive
 neighbor STATION timers 60 180
 neighbor STATION advertisement-interval 0
${peers.join('')} address-family ${familyWord(plan.version)} unicast
  neighbor STATION activate
${clients} exit-address-family
`;
}
