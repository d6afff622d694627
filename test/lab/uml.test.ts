/**
 * A lab that needs a device which this machine's kernel lacks: it gets a user-mode kernel, and every command of the lab works
 * on it from outside. Policy looks into its IPIP and VXLAN tunnels.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'chai';
import { PoplinError } from '../../api/problem.ts';
import { labDown, labTest, labUp } from '../../containerlab/index.ts';
import { REPOSITORY } from '../../containerlab/runner/paths.ts';
import { until } from '../../containerlab/runner/until.ts';
import { loadTopology } from '../../containerlab/topology/load.ts';
import { neededDevices } from '../../containerlab/uml/devices.ts';
import { machineOf } from '../../containerlab/uml/lab-machine.ts';
import { umlPresent } from '../../containerlab/uml/uml.ts';
import { CommandError, run } from '../../net/kernel/index.ts';

const present = umlPresent() && process.getuid?.() === 0;
if (!present)
  process.stderr.write('SKIPPED: a lab in a user-mode kernel: needs root, user-mode-linux and kmod\n');
const NAME = `u${process.pid}`;
const POPLIN = join(REPOSITORY, 'bin', 'poplin');
/** A busy machine is slow, and a machine within it slower. */
const WITHIN_MS = 400_000;

(present ? describe : describe.skip)('a lab in a user-mode kernel', function () {
  this.timeout(3 * WITHIN_MS);
  let folder = '';
  let file = '';
  let printed = '';
  const screen = { out: (text: string) => void (printed += text), colour: false, columns: undefined };

  before(async () => {
    folder = mkdtempSync('/var/tmp/poplin-test-');
    file = join(folder, 'tunnels.clab.yml');
    const topologies = join(REPOSITORY, 'topologies');
    const text = readFileSync(join(topologies, 'tunnels.clab.yml'), 'utf8');
    writeFileSync(file, text.replace('name: tunnels', `name: ${NAME}`));
    cpSync(join(topologies, 'tunnels.expect.yml'), join(folder, 'tunnels.expect.yml'));
    cpSync(join(topologies, 'tunnels'), join(folder, 'tunnels'), { recursive: true });
    expect(await labUp({ topology: file, kernel: 'uml' }, screen), printed).to.equal(0);
    expect(printed).to.contain(`The lab "${NAME}" is up.`);
  });
  after(async () => {
    await labDown({ lab: NAME }, screen);
    expect(machineOf(NAME)).to.equal(undefined);
    const left = readdirSync('/var/tmp').filter((name) => name.startsWith(`poplin-lab-${NAME}-`));
    expect(left).to.deep.equal([]);
    rmSync(folder, { recursive: true });
  });

  it('is told what it needs by pools and by the commands of its nodes', () => {
    const topology = loadTopology(file);
    expect(topology.ok ? neededDevices(topology.value) : []).to.deep.equal(['ipip', 'vxlan']);
  });

  it('lets workloads reach one another through the tunnels as policy says, and no further', async () => {
    const right = await until(
      async () => {
        printed = '';
        return (await labTest({ lab: NAME }, screen)) === 0 ? true : undefined;
      },
      { withinMs: WITHIN_MS, everyMs: 1000 },
    );
    expect(right, printed).to.equal(true);
    expect(printed).to.contain('12 TCP connections tried: 10 reached, 2 blocked, each as expected');
  });

  it('runs a command on a node, with its exit code, whether or not it reads what it is given', async () => {
    const command = ['sh', '-c', 'ip -4 -o address show tunl0 | grep -q 10.244 && exit 3'];
    const failed: unknown = await run(POPLIN, ['lab', 'exec', '--lab', NAME, 'a1', '--', ...command], {
      stdin: 'nobody reads this\n'.repeat(10_000),
      deadlineMs: WITHIN_MS,
    }).catch((error: unknown) => error);
    if (!(failed instanceof CommandError)) expect.fail(String(failed));
    expect(failed.exitCode).to.equal(3);
  });

  it('drops no ping through IPIP and VXLAN while all of a node is killed and comes back', async () => {
    const program = join(import.meta.dirname, 'restarts.program.ts');
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', program, NAME, 'a1', 'b1'];
    const { stdout } = await run(
      POPLIN,
      ['lab', 'exec', '--lab', NAME, 'r', '--', ...command, 'web', 'client'],
      { deadlineMs: WITHIN_MS },
    );
    const outcomes = JSON.parse(stdout) as { answered: number; lost: number }[];
    expect(outcomes.map(({ lost }) => lost)).to.deep.equal([0, 0]);
    for (const { answered } of outcomes) expect(answered).to.be.at.least(40);
  });

  it('lets no IPIP packets in from whom the datastore does not know', async () => {
    // On the router: to a1's workload, wrapped for a1, under an address that is nobody's.
    const forge = `
web=$(ip netns exec clab-${NAME}-a1 ip -4 route show | awk '/ dev cali/ { print $1; exit }')
ip link add forged type ipip local 10.1.0.1 remote 10.1.0.11
ip address add 10.99.0.1/32 dev forged
ip link set forged up
ip route add "$web" dev forged src 10.99.0.1
ping -c 3 -i 0.2 -W 1 "$web" >/dev/null && echo let in
ip link delete forged
ip netns exec clab-${NAME}-a1 iptables-legacy -t filter -S cali-INPUT -v | grep 'Drop IPIP packets from others'
`;
    const { stdout } = await run(POPLIN, ['lab', 'exec', '--lab', NAME, 'r', '--', 'sh'], {
      stdin: forge,
      deadlineMs: WITHIN_MS,
    });
    expect(stdout).not.to.contain('let in');
    expect(stdout, 'they came, and were dropped').to.match(/Drop IPIP packets from others.* -c [3-9] /);
  });

  it('hands a command what comes on standard input, whole', async () => {
    const text = Array.from({ length: 40_000 }, (_, i) => `${i} größer\n`).join('');
    const sum = await run(POPLIN, ['lab', 'exec', '--lab', NAME, 'a1', '--', 'sha256sum'], {
      stdin: text,
      deadlineMs: WITHIN_MS,
    });
    expect(sum.stdout).to.contain(createHash('sha256').update(text).digest('hex'));
  });

  it('is not to be had from a folder that is another inside', async () => {
    const hidden = mkdtempSync('/tmp/poplin-test-');
    try {
      const path = join(hidden, 'x.clab.yml');
      writeFileSync(path, 'name: hidden\ntopology:\n  nodes: { a: { kind: linux } }\n');
      const problem: unknown = await labUp({ topology: path, kernel: 'uml' }, screen).catch(
        (error: unknown) => error,
      );
      expect(problem instanceof PoplinError ? problem.problems[0]?.code : problem).to.equal(
        'LAB_FILE_HIDDEN',
      );
      expect(existsSync('/run/poplin/machines/hidden.json')).to.equal(false);
    } finally {
      rmSync(hidden, { recursive: true });
    }
  });
});
