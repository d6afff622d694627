/** Starts a lab in a process of its own, so that a test can interrupt or kill it. usage: up.ts TOPOLOGY */
import { labUp } from '../../containerlab/index.ts';

const [topology = ''] = process.argv.slice(2);
process.exitCode = await labUp({ topology }, { out: () => undefined, colour: false, columns: undefined });
