/** BIRD 2: no kernel protocol; the routes that next hops are resolved through come from the interfaces. */
import { versionOf } from './version.ts';
import { familyWord, isInternal, ROUTER_ID, type Target } from './target.ts';
import type { Plan } from '../traffic/plan.ts';

export const bird: Target = {
  name: 'BIRD',
  debian: 'bird2',
  version: () => versionOf('bird', ['--version'], /BIRD version (\S+)/),
  files: (plan) => ({ 'bird.conf': configuration(plan) }),
  command: (_, folder) => ['bird', '-f', ...paths(folder)],
};

function paths(folder: string): readonly string[] {
  return ['-c', `${folder}/bird.conf`, '-s', `${folder}/bird.ctl`, '-P', `${folder}/bird.pid`];
}

function configuration(plan: Plan): string {
  const family = familyWord(plan.version);
  const behind =
    plan.version === 4 ? 'route 10.20.0.0/16 via 10.19.0.2' : 'route fd00:20::/64 via fd00:19::2';
  const peers = plan.stations.map((station, i) => {
    const client = isInternal(plan, station) ? '  rr client;\n' : '';
    return `protocol bgp p${i} from station {\n  neighbor ${station.address} as ${station.asn};\n${client}}\n`;
  });
  return `log stderr { warning, error, fatal, bug };
router id ${ROUTER_ID};
protocol device {}
protocol direct { ${family}; }
protocol static { ${family}; ${behind}; }
template bgp station {
  local ${plan.target.address} as ${plan.target.asn};
  passive on;
  hold time 180;
  ${family} { import all; export where source = RTS_BGP; };
}
${peers.join('')}`;
}
