/** TLS with certificates on both sides, and user and password, against a real etcd that insists on both. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { EtcdServer } from './server.ts';

const KEY = { kind: 'K', scope: '', name: 'a' };

describe('etcd: TLS and users', function () {
  this.timeout(40_000);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-tls-'));
  const stores: Store[] = [];
  let server: EtcdServer;

  before(async () => {
    makeAuthority('ca');
    makeAuthority('stranger');
    issue('server', 'ca', 'serverAuth,clientAuth', 'DNS:etcd.example,DNS:localhost,IP:127.0.0.1');
    issue('client', 'ca', 'clientAuth');
    issue('fake', 'stranger', 'clientAuth');
    server = new EtcdServer([
      `--cert-file=${file('server.crt')}`,
      `--key-file=${file('server.key')}`,
      `--trusted-ca-file=${file('ca.crt')}`,
      '--client-cert-auth',
      '--auth-token-ttl=1',
    ]);
    await server.start();
    etcdctl('user', 'add', 'root:secret');
    etcdctl('user', 'add', 'poplin:p@ss:/word');
    etcdctl('role', 'add', 'calico');
    etcdctl('role', 'grant-permission', 'calico', 'readwrite', '--prefix=true', '/calico/');
    etcdctl('user', 'grant-role', 'poplin', 'calico');
    etcdctl('auth', 'enable');
  });
  after(async () => {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  it('a store and its mirror work, and go on when tokens have run out and etcd was restarted', async () => {
    const store = await open('poplin:p%40ss%3A%2Fword@', 'client');
    const mirror = new Mirror(store, [{ kind: 'K' }]);
    mirror.start();
    for (const value of [1, 2]) {
      expect((await store.commit([{ type: 'put', key: KEY, value, expect: 'any' }])).ok).to.equal(true);
      await until(() => mirror.get(KEY)?.value === value);
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
    await server.kill();
    await server.start();
    expect((await store.commit([{ type: 'put', key: KEY, value: 3, expect: 'any' }])).ok).to.equal(true);
    await until(() => mirror.get(KEY)?.value === 3);
    await mirror.stop();
  });

  it('a wrong password, no user, and a stranger\u2019s certificate are refused', async () => {
    for (const [user, certificate] of [
      ['poplin:wrong@', 'client'],
      ['', 'client'],
      ['poplin:p%40ss%3A%2Fword@', 'fake'],
    ] as const) {
      expect(await rejection(open(user, certificate)), `${user} ${certificate}`).to.be.an.instanceOf(Error);
    }
  });

  it('a server that another authority vouches for is not trusted', async () => {
    const error = await rejection(open('poplin:p%40ss%3A%2Fword@', 'client', 'stranger'));
    expect(error).to.have.nested.property('problems[0].code', 'STORE_UNAVAILABLE');
  });

  it('a user and the name in a certificate do not go together, and that is said', async () => {
    const error = await rejection(openStore('etcds://poplin:word@127.0.0.1:2379?name=etcd.example'));
    expect(error).to.have.nested.property('problems[0].code', 'STORE_LOCATION');
  });

  it('an address where the certificate needs a name is refused at once', async () => {
    for (const host of ['127.0.0.1', '[::1]']) {
      const error = await rejection(openStore(`etcds://${host}:2379`));
      expect(error, host).to.have.nested.property('problems[0].code', 'STORE_LOCATION');
    }
  });

  async function open(user: string, certificate: string, authority = 'ca'): Promise<Store> {
    const settings = new URLSearchParams({
      ca: file(`${authority}.crt`),
      cert: file(`${certificate}.crt`),
      key: file(`${certificate}.key`),
    });
    const store = await openStore(
      `etcds://${user}${server.endpoint.replace('127.0.0.1', 'localhost')}/calico?${settings.toString()}`,
    );
    stores.push(store);
    return store;
  }

  function file(name: string): string {
    return join(folder, name);
  }

  function etcdctl(...args: readonly string[]): void {
    const tls = [`--cacert=${file('ca.crt')}`, `--cert=${file('client.crt')}`, `--key=${file('client.key')}`];
    const to = [`--endpoints=https://${server.endpoint}`];
    execFileSync('etcdctl', [...to, ...tls, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    if (args[1] === 'add' && args[2] === 'root:secret') etcdctl('user', 'grant-role', 'root', 'root');
  }

  function makeAuthority(name: string): void {
    openssl(
      'req',
      '-x509',
      ...KEYS,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.crt`),
    );
  }

  function issue(name: string, authority: string, usage: string, alternative = `DNS:${name}`): void {
    writeFileSync(file(`${name}.ext`), `extendedKeyUsage=${usage}\nsubjectAltName=${alternative}\n`);
    // No common name: etcd would take it for a user.
    openssl(
      'req',
      ...KEYS,
      '-subj',
      '/O=poplin',
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.csr`),
    );
    openssl(
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      '-CA',
      file(`${authority}.crt`),
      '-CAkey',
      file(`${authority}.key`),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.crt`),
    );
  }
});

const KEYS = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
