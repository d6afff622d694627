/**
 * A machine of its own for runtimes: processes, network, mounts. What a runtime takes for the system's folders (/run, /etc,
 * /var, /opt) are copies that end with it, and so does every process in it, whatever a test left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askControl } from '../../../daemon/control.ts';
import { run } from '../../../net/kernel/index.ts';
import { writeImage } from './image.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const DEADLINE_MS = 30_000;

/** PID 1: reaps what runtimes leave, and takes all with it. */
const INIT = `
set -e
mount -t proc proc /proc
mount -t tmpfs none /run
for d in etc var opt; do
  mkdir -p /run/overlay/$d/upper /run/overlay/$d/work
  mount -t overlay -o lowerdir=/$d,upperdir=/run/overlay/$d/upper,workdir=/run/overlay/$d/work none /$d
done
mkdir -p /run/netns /run/logs /opt/cni/bin /var/lib/cni /var/lib/calico
rm -rf /etc/cni/net.d && mkdir -p /etc/cni/net.d
ln -s /usr/lib/cni/* "$1"/cni-plugin/poplin /opt/cni/bin/
ip link set lo up
sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
echo ready
while :; do sleep 3600; done
`;

export class Machine {
  readonly name: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-machine-'));
  readonly runDir = join(this.folder, 'run');
  /** Of all containers in it. */
  readonly cgroup: string;
  readonly #unshare: ChildProcess;
  /** PID 1 of the machine, as seen from outside. */
  #init = 0;

  private constructor(name: string) {
    this.name = name;
    this.cgroup = `/poplin-test-${process.pid}-${name}`;
    // Ends with us, however we end.
    this.#unshare = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'unshare',
        '--net',
        '--pid',
        '--mount',
        '--fork',
        '--kill-child',
        '--',
        'sh',
        '-c',
        INIT,
        'sh',
        ROOT,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
  }

  static async start(name: string): Promise<Machine> {
    const machine = new Machine(name);
    const { stdout, pid } = machine.#unshare;
    if (stdout === null || pid === undefined) throw new Error('unshare did not start');
    await Promise.race([
      once(stdout, 'data'),
      once(machine.#unshare, 'exit').then(() => Promise.reject(new Error('the machine did not start'))),
    ]);
    machine.#init = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
    return machine;
  }

  get netns(): string {
    return `/proc/${this.#init}/ns/net`;
  }

  /** Paths of the machine's own folders, from outside. */
  path(inside: string): string {
    return join(`/proc/${this.#init}/root`, inside);
  }

  /** Runs a program inside. @throws CommandError */
  async exec(file: string, ...args: readonly string[]): Promise<string> {
    const [enter, ...rest] = this.#entering(file, args);
    return (await run(enter, rest, { deadlineMs: DEADLINE_MS })).stdout;
  }

  /** Starts a daemon inside; it ends with the machine. */
  daemon(file: string, ...args: readonly string[]): ChildProcess {
    const [enter, ...rest] = this.#entering(file, args);
    const isTold = process.env['POPLIN_TEST_LOG'] !== undefined;
    return spawn(enter, rest, { stdio: ['ignore', 'ignore', isTold ? 'inherit' : 'ignore'] });
  }

  #entering(file: string, args: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--target=${this.#init}`, '--net', '--pid', '--mount', '--', file, ...args];
  }

  /** The agent with its daemons, ready. */
  async startAgent(datastore: string): Promise<ChildProcess> {
    mkdirSync(this.runDir, { recursive: true });
    const agent = this.daemon(
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'node', 'main.ts'),
      `--node=${this.name}`,
      `--datastore=${datastore}`,
      `--run-dir=${this.runDir}`,
    );
    await until('the agent is ready', async () => {
      const health = await askControl<{ ready: boolean }>(join(this.runDir, 'agent.sock'), 'GET', '/health');
      return health.ok && health.value.ready;
    });
    return agent;
  }

  /** The chain of a cluster: our plugin, then Debian's portmap. */
  configure(plugins: readonly object[], cniVersion = '1.0.0'): void {
    const agent_socket = join(this.runDir, 'agent.sock');
    const list = {
      cniVersion,
      name: 'cluster',
      plugins: plugins.map((plugin) => ({
        ...('type' in plugin && plugin.type === 'poplin' ? { agent_socket } : {}),
        ...plugin,
      })),
    };
    writeFileSync(this.path('/etc/cni/net.d/10-poplin.conflist'), JSON.stringify(list));
  }

  async startContainerd(): Promise<ChildProcess> {
    writeFileSync(this.path('/run/containerd.toml'), CONTAINERD);
    const containerd = this.daemon('containerd', '--config', '/run/containerd.toml');
    await until('containerd answers', () =>
      this.exec('ctr', '-a', CONTAINERD_SOCKET, 'version').then(
        () => true,
        () => false,
      ),
    );
    const archive = join(this.folder, 'image.tar');
    writeImage(archive);
    for (const namespace of ['k8s.io', 'default'])
      await this.exec('ctr', '-a', CONTAINERD_SOCKET, '-n', namespace, 'image', 'import', archive);
    return containerd;
  }

  /** Podman with the CNI backend, on the same networks. */
  async podman(...args: readonly string[]): Promise<string> {
    return this.exec(
      'env',
      'CONTAINERS_CONF=/run/podman/containers.conf',
      'CONTAINERS_STORAGE_CONF=/run/podman/storage.conf',
      'podman',
      ...args,
    );
  }

  async preparePodman(): Promise<void> {
    mkdirSync(this.path('/run/podman'), { recursive: true });
    writeFileSync(this.path('/run/podman/containers.conf'), PODMAN);
    writeFileSync(this.path('/run/podman/storage.conf'), STORAGE);
    writeFileSync(
      this.path('/etc/containers/policy.json'),
      '{"default":[{"type":"insecureAcceptAnything"}]}',
    );
    const archive = join(this.folder, 'image.tar');
    writeImage(archive);
    await this.podman('load', '-q', '-i', archive);
  }

  /** With everything in it. */
  async remove(): Promise<void> {
    const ended = once(this.#unshare, 'exit');
    this.#unshare.kill('SIGKILL');
    await ended;
    for (const hierarchy of readdirSync(CGROUPS)) await removeCgroup(join(CGROUPS, hierarchy, this.cgroup));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const CGROUPS = '/sys/fs/cgroup';

const REMOVED_WITHIN_MS = 60_000;

/** The files in it go with it. It is busy until the last process of a machine that was killed has been taken apart. */
async function removeCgroup(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  for (const until = performance.now() + REMOVED_WITHIN_MS; ; await sleep(20))
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || performance.now() > until) throw error;
    }
}

export const CONTAINERD_SOCKET = '/run/containerd.sock';

const CONTAINERD = `version = 2
root = "/run/containerd-root"
state = "/run/containerd"
[grpc]
address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pod:1"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/opt/cni/bin"
conf_dir = "/etc/cni/net.d"
`;

const PODMAN = `[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
default_network = "cluster"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
`;

const STORAGE = `[storage]
driver = "vfs"
graphroot = "/run/podman/storage"
runroot = "/run/podman/run"
`;

export async function until(
  what: string,
  holds: () => Promise<boolean>,
  limitMs = DEADLINE_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await sleep(50);
  }
}
