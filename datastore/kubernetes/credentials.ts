/**
 * Where the API server is and who we are. The service account of a pod needs two files and is read here; kubeconfig
 * files (exec plugins, OIDC, client certificates, proxies) are left to `@kubernetes/client-node`, loaded only then: it
 * costs half a second and 70 MB, which a daemon on every node should not pay.
 */
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { isIPv6 } from 'node:net';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { invalid, type KubernetesOptions } from './location.ts';

export interface Credentials {
  /** `https://host:port`, maybe with a path, without a slash at the end. */
  readonly server: string;
  /** Headers, certificates and proxy of the next request; tokens that ran out are renewed. */
  options(): Promise<RequestOptions>;
  /** After a refusal: forget what is cached, so that the next request asks anew. */
  forget(): void;
}

/** What the API server's own client libraries give a credential plugin; some of them insist on it. */
const EXEC_INFO = 'KUBERNETES_EXEC_INFO';
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet writes a new token long before the old one runs out. */
const TOKEN_MS = 60_000;

/**
 * @param folder  of the pod's service account
 * @throws PoplinError STORE_LOCATION when no cluster or no user can be found
 */
export async function findCredentials(
  options: KubernetesOptions,
  folder = SERVICE_ACCOUNT,
): Promise<Credentials> {
  if (options.inCluster) return serviceAccount(options, folder);
  if (options.path !== undefined) return kubeconfig(options, [options.path]);
  const listed = (process.env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (listed.length > 0) {
    // As kubectl: of several, those that are not there are passed over.
    const present = listed.filter((path) => existsSync(path));
    return kubeconfig(options, present.length > 0 ? present : listed);
  }
  const own = join(homedir(), '.kube', 'config');
  return existsSync(own) ? kubeconfig(options, [own]) : serviceAccount(options, folder);
}

async function serviceAccount({ location }: KubernetesOptions, folder: string): Promise<Credentials> {
  const host = process.env['KUBERNETES_SERVICE_HOST'];
  const port = process.env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined)
    throw invalid(
      location,
      'this process runs in no pod and there is no ~/.kube/config: name the file with kubernetes:///PATH or KUBECONFIG',
    );
  const read = async (file: string): Promise<string> => {
    try {
      return await readFile(join(folder, file), 'utf8');
    } catch (error) {
      throw invalid(location, `give the pod a service account with a token (${String(error)})`);
    }
  };
  const ca = await read('ca.crt');
  let token: { readonly text: string; readonly at: number } | undefined;
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    async options() {
      const now = performance.now();
      if (token === undefined || now - token.at > TOKEN_MS)
        token = { text: (await read('token')).trim(), at: now };
      return { ca, headers: { authorization: `Bearer ${token.text}` } };
    },
    forget: () => (token = undefined),
  };
}

async function kubeconfig(options: KubernetesOptions, paths: readonly string[]): Promise<Credentials> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const load = () => {
    const [first, ...others] = paths.map((path) => {
      const config = new KubeConfig();
      try {
        config.loadFromFile(path);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw invalid(options.location, `make ${path} a readable kubeconfig file (${why})`);
      }
      return config;
    });
    if (first === undefined) throw new Error('no kubeconfig file is named');
    // The first file that sets a value wins, as in kubectl.
    for (const other of others) first.mergeConfig(other, true);
    if (options.context !== undefined) first.setCurrentContext(options.context);
    const user = first.getCurrentUser();
    if (user?.exec !== undefined && user.exec !== null) informPlugin(user.exec);
    return first;
  };
  let config = load();
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw invalid(
      options.location,
      `name a context with ?context=; ${paths.join(', ')} has ${known.length === 0 ? 'none' : known.join(', ')}`,
    );
  }
  // A plugin may take a second and a browser: whoever asks meanwhile waits for the same answer.
  let asked: Promise<RequestOptions> | undefined;
  const ask = async (): Promise<RequestOptions> => {
    const found: RequestOptions = { headers: {} };
    try {
      await config.applyToHTTPSOptions(found);
    } catch (error) {
      throw unusable(options.location, error);
    }
    // Our own agent keeps connections, unless it is one that knows the way through a proxy.
    if (!proxied) delete found.agent;
    return found;
  };
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  return {
    server: cluster.server.replace(/\/+$/, ''),
    async options() {
      asked ??= ask().finally(() => (asked = undefined));
      return asked;
    },
    forget() {
      config = load();
    },
  };
}

/** `client.authentication.k8s.io` ExecCredential, as it is asked for. */
function informPlugin(exec: { apiVersion?: string; env?: { name: string; value: string }[] | null }): void {
  const { apiVersion = 'client.authentication.k8s.io/v1', env } = exec;
  if (env?.some(({ name }) => name === EXEC_INFO) === true) return;
  const value = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } });
  exec.env = [...(env ?? []), { name: EXEC_INFO, value }];
}

/** Of a plugin that fails, a certificate that cannot be read: it may be mended while we run. */
function unusable(location: string, error: unknown): PoplinError {
  const why = (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s+/g, ' ');
  return new PoplinError([
    {
      code: 'STORE_LOGIN',
      value: location,
      what: `the credentials that the kubeconfig file of ${location} names cannot be had (${why === '' ? 'its plugin says nothing' : why})`,
      remedy: 'try kubectl with the same file, and mend the user of its context',
    },
  ]);
}
