/**
 * IPIP between nodes, in a user-mode kernel, since many machines' own has none, with the real bgpd and the routing of
 * felix-lite.
 */
import { umlPresent } from '../../containerlab/uml/uml.ts';
import { tryInUml } from './in-uml.ts';
import { SCENARIOS } from './ipip.scenarios.ts';

const present = umlPresent();
if (!present)
  process.stderr.write('SKIPPED: IPIP in a user-mode kernel: user-mode-linux or kmod is not installed\n');

(present ? describe : describe.skip)('IPIP, in a user-mode kernel', function () {
  tryInUml(this, 'ipip.scenarios.ts', SCENARIOS);
});
