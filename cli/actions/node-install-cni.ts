/** node install-cni: what makes a container runtime call the plugin, put in place, kept, or taken away. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { formatProblem, ok, type Result } from '../../api/problem.ts';
import { seconds } from '../../clock/clock.ts';
import { fillTemplate, ownConflist, type Placeholders } from '../../node/install-cni/conflist.ts';
import { install, type Places, uninstall } from '../../node/install-cni/install.ts';
import { kubeconfigOf, SERVICE_ACCOUNT } from '../../node/install-cni/kubeconfig.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import type { nodeInstallCniTable } from '../tables/node.ts';
import type { Terminal } from '../terminal.ts';

type Args = Arguments<typeof nodeInstallCniTable>;

export const nodeInstallCni: Action<Args> = async (args, terminal) => {
  const places: Places = {
    binDir: args['bin-dir'],
    confDir: args['conf-dir'],
    confName: args['conf-name'],
    name: args.name,
    kubeconfig: join(args['conf-dir'], 'poplin-kubeconfig'),
  };
  if (args.uninstall) {
    tell(terminal, 'removed', uninstall(places), 'there is nothing of Poplin to remove');
    return EXIT.ok;
  }
  if (args.watch === undefined) return putInPlace(args, places, terminal, true);
  for (;;) {
    // A disk that is full, a token that is just being exchanged: who stays tries again.
    try {
      putInPlace(args, places, terminal, false);
    } catch (error) {
      terminal.err(`cannot install now, and will try again: ${String(error)}\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, seconds(args.watch ?? 0)));
  }
};

/** @throws the file system's error, naming the file */
function putInPlace(args: Args, places: Places, terminal: Terminal, tellsAlways: boolean): number {
  const values = placeholders(args, places, terminal.env);
  const conflist = conflistOf(args, values, terminal.env);
  if (!conflist.ok) {
    for (const problem of conflist.problems) terminal.err(`${formatProblem(problem)}\n`);
    return EXIT.failure;
  }
  const kubeconfig =
    values.apiHost === '' ? undefined : kubeconfigOf(SERVICE_ACCOUNT, values.apiHost, values.apiPort);
  const written = install(places, { conflist: conflist.value, kubeconfig });
  if (tellsAlways || written.length > 0) tell(terminal, 'written', written, 'everything is in place already');
  return EXIT.ok;
}

function conflistOf(args: Args, values: Placeholders, env: NodeJS.ProcessEnv): Result<string> {
  const template =
    args.template === undefined ? env['CNI_NETWORK_CONFIG'] : readFileSync(args.template, 'utf8');
  return template === undefined || template === ''
    ? ok(ownConflist(args.name, values))
    : fillTemplate(template, values);
}

function placeholders(args: Args, places: Places, env: NodeJS.ProcessEnv): Placeholders {
  return {
    agentSocket: join(args['run-dir'] ?? env['POPLIN_RUN_DIR'] ?? '/run/poplin', 'agent.sock'),
    mtu: args.mtu,
    node: env['KUBERNETES_NODE_NAME'] ?? env['NODENAME'] ?? hostname(),
    kubeconfig: places.kubeconfig,
    logLevel: env['LOG_LEVEL'] ?? 'info',
    apiHost: env['KUBERNETES_SERVICE_HOST'] ?? '',
    apiPort: env['KUBERNETES_SERVICE_PORT'] ?? '443',
  };
}

function tell(terminal: Terminal, verb: string, paths: readonly string[], otherwise: string): void {
  const lines = paths.length === 0 ? [otherwise] : paths.map((path) => `${path} ${verb}`);
  terminal.out(`${lines.join('\n')}\n`);
}
