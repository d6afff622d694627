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
import { invalid, type KubernetesOptions } from './location.ts';

export interface Credentials {
  /** `https://host:port`, maybe with a path, without a slash at the end. */
  readonly server: string;
  /** Headers, certificates and proxy of the next request; tokens that ran out are renewed. */
  options(): Promise<RequestOptions>;
  /** After a refusal: forget what is cached, so that the next request asks anew. */
  forget(): void;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet writes a new token long before the old one runs out. */
const TOKEN_MS = 60_000;

/** @throws PoplinError STORE_LOCATION when no cluster or no user can be found */
export async function findCredentials(options: KubernetesOptions): Promise<Credentials> {
  if (options.inCluster) return serviceAccount(options);
  if (options.path !== undefined) return kubeconfig(options, [options.path]);
  const listed = (process.env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (listed.length > 0) return kubeconfig(options, listed);
  const own = join(homedir(), '.kube', 'config');
  return existsSync(own) ? kubeconfig(options, [own]) : serviceAccount(options);
}

async function serviceAccount({ location }: KubernetesOptions): Promise<Credentials> {
  const host = process.env['KUBERNETES_SERVICE_HOST'];
  const port = process.env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined)
    throw invalid(
      location,
      'this process runs in no pod and there is no ~/.kube/config: name the file with kubernetes:///PATH or KUBECONFIG',
    );
  const read = async (file: string): Promise<string> => {
    try {
      return await readFile(join(SERVICE_ACCOUNT, file), 'utf8');
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
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  return {
    server: cluster.server.replace(/\/+$/, ''),
    async options() {
      const found: RequestOptions = { headers: {} };
      try {
        await config.applyToHTTPSOptions(found);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw invalid(options.location, `mend the credentials of its user (${why.trim()})`);
      }
      // Our own agent keeps connections, unless it is one that knows the way through a proxy.
      if (!proxied) delete found.agent;
      return found;
    },
    forget() {
      config = load();
    },
  };
}
