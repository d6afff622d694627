/** OpenBGPD: `fib-update no`, everything accepted and told, as the others are set up. */
import { versionOf } from './version.ts';
import { isInternal, ROUTER_ID, type Target } from './target.ts';
import type { Plan } from '../traffic/plan.ts';

const BGPD = '/usr/sbin/bgpd';

export const openbgpd: Target = {
  name: 'OpenBGPD',
  debian: 'openbgpd',
  version: () => versionOf(BGPD, ['-V'], /OpenBGPD (\S+)/),
  files: (plan, folder) => ({ 'bgpd.conf': configuration(plan, folder) }),
  command: (_, folder) => [BGPD, '-d', '-f', `${folder}/bgpd.conf`],
};

function configuration(plan: Plan, folder: string): string {
  const neighbours = plan.stations.map(({ address, asn }) => `  neighbor ${address} { remote-as ${asn} }\n`);
  const internal = plan.stations.every((station) => isInternal(plan, station));
  const other = plan.version === 4 ? '' : '  announce IPv4 none\n';
  return `AS ${plan.target.asn}
router-id ${ROUTER_ID}
listen on ${plan.target.address}
fib-update no
socket "${folder}/bgpd.sock"
group "stations" {
  passive
  holdtime 180
${other}  announce ${plan.version === 4 ? 'IPv4' : 'IPv6'} unicast
${internal ? '  route-reflector\n' : ''}${neighbours.join('')}}
allow from any
allow to any
`;
}
