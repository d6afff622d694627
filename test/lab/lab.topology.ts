/** A small lab for tests: two routers of different make, one link, dual stack; its files in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestTopology {
  readonly name: string;
  readonly file: string;
  rewrite(change: (text: string) => string): void;
  remove(): void;
}

const BIRD = `
router id 192.0.2.1;
protocol device { }
protocol direct { ipv4; ipv6; interface "lo"; }
template bgp b { local as 65001; connect delay time 1; connect retry time 1; error wait time 1, 2; }
protocol bgp v4 from b { neighbor 198.51.100.1 as 65002; ipv4 { import all; export all; }; }
protocol bgp v6 from b { neighbor 2001:db8::1 as 65002; ipv6 { import all; export all; }; }
`;

const FRR = `
frr defaults datacenter
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor 198.51.100.0 remote-as 65001
 neighbor 198.51.100.0 timers connect 1
 neighbor 2001:db8:: remote-as 65001
 neighbor 2001:db8:: timers connect 1
 address-family ipv4 unicast
  neighbor 198.51.100.0 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:: activate
 exit-address-family
`;

export function testTopology(): TestTopology {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-lab-'));
  const name = `t${process.pid}`;
  const file = join(folder, `${name}.clab.yml`);
  let text = `
name: ${name}
topology:
  defaults: { kind: linux }
  nodes:
    left:
      image: poplin/bird:2
      startup-config: bird.conf
      exec:
        - ip address replace 192.0.2.1/32 dev lo
        - ip address replace 2001:db8:1::1/128 dev lo
        - ip address replace 198.51.100.0/31 dev eth1
        - ip address replace 2001:db8::/127 dev eth1 nodad
    right:
      image: frrouting/frr:8
      startup-config: frr.conf
      exec:
        - ip address replace 198.51.100.1/31 dev eth1
        - ip address replace 2001:db8::1/127 dev eth1 nodad
    plain:
      env: { GREETING: hello }
  links:
    - endpoints: ["left:eth1", "right:eth1"]
    - endpoints: ["right:eth2", "plain:eth1"]
      mtu: 1400
`;
  writeFileSync(join(folder, 'bird.conf'), BIRD);
  writeFileSync(join(folder, 'frr.conf'), FRR);
  writeFileSync(file, text);
  return {
    name,
    file,
    rewrite(change) {
      text = change(text);
      writeFileSync(file, text);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
