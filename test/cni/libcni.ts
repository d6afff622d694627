/**
 * Calls a list of plugins as libcni does: ADD in order, each with the result of the one before; CHECK in order and DEL in
 * reverse order with the result of the last; runtimeConfig only for who declared the capability.
 */
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const OURS = join(import.meta.dirname, '..', '..', 'cni-plugin');
export const DEBIAN = '/usr/lib/cni';

export interface PluginConf {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export interface Target {
  readonly containerId: string;
  readonly netns: string;
  readonly ifName: string;
  readonly args?: string;
}

export class Libcni {
  readonly #hostNetns: string;
  readonly #list: {
    readonly name: string;
    readonly cniVersion: string;
    readonly plugins: readonly PluginConf[];
  };
  /** As in /var/lib/cni/results: by container and interface. */
  readonly #cache = new Map<string, object>();

  constructor(hostNetns: string, plugins: readonly PluginConf[], cniVersion = '1.0.0', name = 'net') {
    this.#hostNetns = hostNetns;
    this.#list = { name, cniVersion, plugins };
  }

  async add(target: Target, runtimeConfig: Readonly<Record<string, unknown>> = {}): Promise<object> {
    let result: object | undefined;
    for (const plugin of this.#list.plugins) {
      const text = await this.#run('ADD', plugin, target, result, runtimeConfig);
      result = JSON.parse(text) as object;
    }
    this.#cache.set(keyOf(target), result ?? {});
    return result ?? {};
  }

  /** @param except  types that are not asked */
  async check(
    target: Target,
    runtimeConfig: Readonly<Record<string, unknown>> = {},
    except: readonly string[] = [],
  ): Promise<void> {
    for (const plugin of this.#list.plugins.filter(({ type }) => !except.includes(type)))
      expect(
        await this.#run('CHECK', plugin, target, this.#cache.get(keyOf(target)), runtimeConfig),
      ).to.equal('');
  }

  async del(target: Target, runtimeConfig: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const result = this.#cache.get(keyOf(target));
    for (const plugin of this.#list.plugins.toReversed())
      expect(await this.#run('DEL', plugin, target, result, runtimeConfig)).to.equal('');
    this.#cache.delete(keyOf(target));
  }

  async #run(
    command: string,
    plugin: PluginConf,
    { containerId, netns, ifName, args = '' }: Target,
    prevResult: object | undefined,
    runtimeConfig: Readonly<Record<string, unknown>>,
  ): Promise<string> {
    const { capabilities = {}, ...conf } = plugin;
    const wanted = Object.entries(runtimeConfig).filter(([key]) => capabilities[key] === true);
    const { name, cniVersion } = this.#list;
    const stdin = {
      name,
      cniVersion,
      ...conf,
      ...(wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) }),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
    const file = join(plugin.type === 'poplin' ? OURS : DEBIAN, plugin.type);
    const child = spawn('nsenter', [`--net=${this.#hostNetns}`, '--', file], {
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: netns,
        CNI_IFNAME: ifName,
        CNI_ARGS: args,
        CNI_PATH: `${OURS}:${DEBIAN}`,
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stdin.end(JSON.stringify(stdin));
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`${plugin.type} ${command}: ${stdout}`);
    return stdout;
  }
}

function keyOf({ containerId, ifName }: Target): string {
  return `${containerId}-${ifName}`;
}
