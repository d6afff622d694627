/**
 * WireGuard of the kernel itself, in a user-mode kernel. Debian's comes without the module; wireguard-module.sh beside this
 * file builds it. What it proves by default of userspace and kernel alike: wireguard.test.ts.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { umlPresent } from '../../containerlab/uml/uml.ts';
import { tryInUml } from './in-uml.ts';
import { SCENARIOS } from './wireguard-kernel.scenarios.ts';

const MODULES = '/usr/lib/uml/modules';
const [release = ''] = umlPresent() && existsSync(MODULES) ? readdirSync(MODULES) : [];
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache');
const built = join(CACHE, 'poplin-wireguard', release);
const present = release !== '' && existsSync(join(built, 'wireguard.ko'));
if (!present)
  process.stderr.write(
    "SKIPPED: the kernel's own WireGuard, in a user-mode kernel: sh test/routes/wireguard-module.sh builds it\n",
  );

(present ? describe : describe.skip)("the kernel's WireGuard, in a user-mode kernel", function () {
  tryInUml(this, 'wireguard-kernel.scenarios.ts', SCENARIOS, [
    `cp ${built}/*.ko "/lib/modules/$(uname -r)/"`,
    'depmod',
  ]);
});
