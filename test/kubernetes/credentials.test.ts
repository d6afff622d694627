/** Ways to tell an API server who we are, each against a real one, and one clear sentence where it does not work. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { FIRST_PATIENCE } from '../../datastore/kubernetes/client.ts';
import { findCredentials } from '../../datastore/kubernetes/credentials.ts';
import { KubernetesStore } from '../../datastore/kubernetes/kubernetes.ts';
import { parseLocation } from '../../datastore/kubernetes/location.ts';
import { temporaryFolder } from '../../datastore/testing.ts';
import { freePort } from '../etcd/server.ts';
import { tokenOf } from './server.ts';
import { withKubeServer } from './suite.ts';

const POOLS = { kind: 'IPPool' };

describe('kubernetes: credentials', function () {
  this.timeout(180_000);
  const server = withKubeServer({ own: true });
  const stores: Store[] = [];
  let folder: string;

  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  function file(name: string, text: string, mode = 0o600): string {
    const path = join(folder, name);
    writeFileSync(path, text, { mode });
    return path;
  }

  function address(): string {
    return `https://127.0.0.1:${server().port}`;
  }

  /** Location of a kubeconfig file with that user. */
  function asUser(user: object, cluster: object = {}): string {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: { server: address(), 'certificate-authority': server().authority, ...cluster },
        },
      ],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'work', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'work',
    };
    return `kubernetes://${file('config', JSON.stringify(config))}`;
  }

  async function open(location: string): Promise<Store> {
    const store = await openStore(location);
    stores.push(store);
    return store;
  }

  async function refused(location: string): Promise<string> {
    return String(await rejection(open(location)));
  }

  /** A plugin that hands out one token after another, the last of them again and again. */
  function plugin(
    tokens: readonly string[],
    expires?: string,
  ): { readonly command: string; calls: () => string[] } {
    const log = join(folder, 'calls');
    const command = file(
      'plugin',
      `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require('node:fs');
appendFileSync(${JSON.stringify(log)}, (process.env.KUBERNETES_EXEC_INFO ?? '') + '\\n');
const tokens = ${JSON.stringify(tokens)};
const calls = readFileSync(${JSON.stringify(log)}, 'utf8').trim().split('\\n').length;
const token = tokens[Math.min(calls, tokens.length) - 1];
const { apiVersion } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
console.log(JSON.stringify({ apiVersion, kind: 'ExecCredential', status: { token, expirationTimestamp: ${JSON.stringify(expires)} } }));
`,
      0o700,
    );
    return { command, calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) };
  }

  it('of a plugin are asked for once, however many requests wait', async () => {
    const { command, calls } = plugin([tokenOf('admin')]);
    const store = await open(asUser(exec(command)));
    await Promise.all(Array.from({ length: 20 }, async () => store.list(POOLS)));
    expect(calls()).to.have.length(1);
    expect(JSON.parse(calls()[0] ?? '')).to.deep.equal({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false },
    });
  });

  it('of a plugin are asked for again when the server does not take them, or they ran out', async () => {
    const stale = plugin(['ran-out', tokenOf('admin')]);
    await (await open(asUser(exec(stale.command)))).list(POOLS);
    expect(stale.calls()).to.have.length(2);
    folder = temporaryFolder();
    const short = plugin([tokenOf('admin')], '2001-01-01T00:00:00Z');
    await (await open(asUser(exec(short.command)))).list(POOLS);
    expect(short.calls().length).to.be.greaterThan(1);
  });

  it('of a plugin that fails are told with its own words, those of one that is not there by its name', async () => {
    const failing = file('failing', '#!/bin/sh\necho "session is over, log in" >&2\nexit 1\n', 0o700);
    expect(await refused(asUser(exec(failing)))).to.match(/cannot be had \(session is over, log in\)/);
    expect(await refused(asUser(exec('/no/such/plugin')))).to.match(
      /cannot be had \(.*\/no\/such\/plugin ENOENT/,
    );
  });

  it('that the server does not know are told in one sentence', async () => {
    expect(await refused(asUser({ token: 'ran-out' }))).to.match(
      /does not know who we are \(Unauthorized\); renew the credentials/,
    );
  });

  it('a server that is not who it should be is told at once', async () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=stranger',
      '-keyout',
      join(folder, 'stranger.key'),
      '-out',
      join(folder, 'stranger.crt'),
    );
    const began = performance.now();
    const wrong = asUser(
      { token: tokenOf('admin') },
      { 'certificate-authority': join(folder, 'stranger.crt') },
    );
    expect(await refused(wrong)).to.match(/shows a certificate that we do not trust .*certificate-authority/);
    const otherName = asUser({ token: tokenOf('admin') }, { 'tls-server-name': 'elsewhere.example' });
    expect(await refused(otherName)).to.match(
      /shows a certificate that we do not trust .*elsewhere\.example/,
    );
    // Neither was asked again until patience ended.
    expect(performance.now() - began).to.be.lessThan(2 * FIRST_PATIENCE);
    const unchecked = { 'certificate-authority': undefined, 'insecure-skip-tls-verify': true };
    await (await open(asUser({ token: tokenOf('admin') }, unchecked))).list(POOLS);
  });

  it('a file, a context or a server that is not there is told', async () => {
    expect(await refused('kubernetes:///no/such/file')).to.match(
      /make \/no\/such\/file a readable kubeconfig file/,
    );
    expect(await refused(`${asUser({ token: 'x' })}?context=play`)).to.match(
      /name a context with \?context=; .* has work/,
    );
    const nowhere = `https://127.0.0.1:${await freePort()}`;
    expect(await refused(asUser({ token: 'x' }, { server: nowhere }))).to.match(
      /does not answer \(.*ECONNREFUSED/,
    );
    expect(await refused(`kubernetes://${file('garbled', '{')}`)).to.match(
      /make .*garbled a readable kubeconfig file/,
    );
  });

  it('of a pod are read again when they were renewed; certificates of a client are taken', async () => {
    file('ca.crt', readFileSync(server().authority, 'utf8'));
    file('token', tokenOf('poplin-node'));
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
    Object.assign(process.env, {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: server().port,
    });
    const options = parseLocation('kubernetes:in-cluster');
    const store = await KubernetesStore.open(options, undefined, await findCredentials(options, folder));
    stores.push(store);
    for (const [name, value] of Object.entries({
      KUBERNETES_SERVICE_HOST: host,
      KUBERNETES_SERVICE_PORT: port,
    }))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    const mirror = new Mirror(store, [{ kind: 'Lease' }]);
    const heard = new Promise<void>((resolve) => mirror.onChange(() => resolve()));
    mirror.start();

    for (const name of ['ca', 'client'])
      openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(folder, `${name}.key`));
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      join(folder, 'ca.key'),
      '-subj',
      '/CN=clients',
      '-out',
      join(folder, 'clients.crt'),
    );
    openssl(
      'req',
      '-new',
      '-key',
      join(folder, 'client.key'),
      '-subj',
      '/O=system:masters/CN=somebody',
      '-out',
      join(folder, 'client.csr'),
    );
    openssl(
      'x509',
      '-req',
      '-in',
      join(folder, 'client.csr'),
      '-CA',
      join(folder, 'clients.crt'),
      '-CAkey',
      join(folder, 'ca.key'),
      '-CAcreateserial',
      '-days',
      '1',
      '-out',
      join(folder, 'client.crt'),
    );
    await server().killApi();
    server().renewToken('poplin-node', 'renewed');
    // What the store holds is the old one still: it is read again when the server does not take that.
    file('token', 'renewed\n');
    await server().startApi([`--client-ca-file=${join(folder, 'clients.crt')}`]);
    await store.list(POOLS);
    const lease = { kind: 'Lease', scope: '', name: 'after' };
    expect((await store.commit([{ type: 'put', key: lease, value: {}, expect: 'absent' }])).ok).to.equal(
      true,
    );
    await heard;
    await mirror.stop();

    const user = {
      'client-certificate': join(folder, 'client.crt'),
      'client-key': join(folder, 'client.key'),
    };
    await (await open(asUser(user))).list(POOLS);
    const data = (name: string): string => readFileSync(join(folder, name)).toString('base64');
    const inline = { 'client-certificate-data': data('client.crt'), 'client-key-data': data('client.key') };
    await (await open(asUser(inline))).list(POOLS);
    expect(await refused(asUser({ ...user, 'client-key': '/no/such/key' }))).to.match(
      /cannot be had \(.*\/no\/such\/key/,
    );
  });
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function exec(command: string): object {
  return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' } };
}
