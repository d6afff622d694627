/**
 * A real kube-apiserver of the test's own, on a real etcd, with our custom resource definitions and our roles. Who asks is
 * told by a token: of an administrator, or of the service accounts that `deploy/rbac.yaml` binds roles to.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EtcdServer, freePort } from '../etcd/server.ts';
import { ROOT } from '../house/sources.ts';

const READY_MS = 60_000;
/** Who may ask, as a service account of the namespace that `deploy/` installs into. */
export const ACCOUNTS = ['poplin-node', 'poplin-controller', 'nobody'] as const;
export type Account = (typeof ACCOUNTS)[number] | 'admin';

export interface KubeRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly type?: string;
}

export class KubeServer {
  readonly etcd = new EtcdServer();
  readonly #binary: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-kube-'));
  #port = 0;
  #process: ChildProcess | undefined;
  #log = '';

  /** @param binary  kube-apiserver, see `binary.ts` */
  constructor(binary: string) {
    this.#binary = binary;
  }

  get port(): number {
    return this.#port;
  }

  /** Of the authority that it signed its own certificate with. */
  get authority(): string {
    return join(this.#folder, 'apiserver.crt');
  }

  /** Known from the next start on, in place of the token that the account had. */
  renewToken(account: Account, token: string): void {
    this.#write('tokens.csv', this.#tokens().replace(tokenOf(account), token));
  }

  /** Both servers, the definitions and the roles. */
  async start(): Promise<void> {
    await this.etcd.start();
    this.#port = await freePort();
    this.#write('tokens.csv', this.#tokens());
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    this.#write('sa.pub', publicKey);
    this.#write('sa.key', privateKey);
    await this.startApi();
    for (const file of ['deploy/crds.yaml', 'deploy/rbac.yaml']) await this.apply(file);
    await this.#until('the definitions to be served', async () => {
      const { status } = await this.ask('/apis/poplin.internal/v1/storedobjects');
      const calico = await this.ask('/apis/crd.projectcalico.org/v1/ipamblocks');
      return status === 200 && calico.status === 200;
    });
  }

  /** The API server alone, or again on the same port. */
  async startApi(flags: readonly string[] = []): Promise<void> {
    const file = (name: string): string => join(this.#folder, name);
    const child = spawn(this.#binary, [
      `--etcd-servers=http://${this.etcd.endpoint}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${this.#port}`,
      `--cert-dir=${this.#folder}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112',
      '--service-account-issuer=https://poplin.test',
      `--service-account-key-file=${file('sa.pub')}`,
      `--service-account-signing-key-file=${file('sa.key')}`,
      // Nobody makes the accounts that pods would be given.
      '--disable-admission-plugins=ServiceAccount',
      '--endpoint-reconciler-type=none',
      // Told to nobody; without it, one is looked for, and there may be no network but loopback.
      '--advertise-address=192.0.2.1',
      ...flags,
    ]);
    this.#process = child;
    child.stderr.on('data', (text: Buffer) => {
      this.#log = (this.#log + text.toString()).slice(-8000);
    });
    await this.#until('kube-apiserver to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`kube-apiserver ended:\n${this.#log}`);
      return (await this.ask('/readyz')).status === 200;
    });
  }

  /** As a crash does: no goodbye to anybody. */
  async killApi(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.killApi();
    await this.etcd.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A kubeconfig file of its own for each asker. @param server  URL of what stands before the API server */
  kubeconfig(account: Account = 'admin', { server }: { readonly server?: string } = {}): string {
    const authority = { 'certificate-authority': join(this.#folder, 'apiserver.crt') };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'test',
          cluster:
            server === undefined
              ? { server: `https://127.0.0.1:${this.#port}`, ...authority }
              : { server, 'insecure-skip-tls-verify': true },
        },
      ],
      users: [{ name: account, user: { token: tokenOf(account) } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: account } }],
      'current-context': 'test',
    };
    return this.#write(
      `${account}-${server?.replaceAll(/\W+/g, '-') ?? 'direct'}.conf`,
      JSON.stringify(config),
    );
  }

  location(account: Account = 'admin'): string {
    return `kubernetes://${this.kubeconfig(account)}`;
  }

  /** Asks as an administrator, by hand: what the engine wrote is looked at with other eyes. */
  async ask(
    path: string,
    { method = 'GET', body, type = 'application/json' }: KubeRequest = {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    return new Promise((resolve) => {
      const headers = {
        authorization: `Bearer ${tokenOf('admin')}`,
        ...(body === undefined ? {} : { 'content-type': type }),
      };
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        path,
        method,
        headers,
        rejectUnauthorized: false,
        // A connection of its own: one kept from before may have ended on the other side.
        agent: false,
      };
      const asked = request(options, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
      });
      asked.on('error', () => resolve({ status: 0, body: undefined }));
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** `kubectl apply --server-side` of a manifest file. */
  async apply(file: string): Promise<void> {
    const documents = parseAllDocuments(readFileSync(join(ROOT, file), 'utf8'));
    for (const object of documents.map((document) => document.toJS() as Manifest)) {
      const answer = await this.ask(`${pathOf(object)}?fieldManager=test&force=true&fieldValidation=Strict`, {
        method: 'PATCH',
        type: 'application/apply-patch+yaml',
        body: object,
      });
      if (answer.status >= 300)
        throw new Error(`${object.kind} ${object.metadata.name}: ${JSON.stringify(answer.body)}`);
    }
  }

  #tokens(): string {
    const accounts = ACCOUNTS.map((name) => {
      const groups = 'system:serviceaccounts,system:serviceaccounts:kube-system';
      return `${tokenOf(name)},system:serviceaccount:kube-system:${name},${name},"${groups}"`;
    });
    return [`${tokenOf('admin')},admin,admin,system:masters`, ...accounts].join('\n');
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const started = performance.now();
    while (!(await isSo())) {
      if (performance.now() - started > READY_MS)
        throw new Error(`waited in vain for ${what}:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #write(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const PLURALS: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networkpolicies',
  CustomResourceDefinition: 'customresourcedefinitions',
};

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${root}${within}/${PLURALS[kind] ?? `${kind.toLowerCase()}s`}/${name}`;
}

export function tokenOf(account: Account): string {
  return `token-of-${account}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
