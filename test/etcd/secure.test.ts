/** TLS with certificates on both sides, and user and password, against a real etcd that insists on both. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { follow, rejection } from '../../datastore/contract-tools.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { EtcdServer } from './server.ts';

interface Refused {
  readonly it: string;
  readonly user: string;
  readonly certificate?: string;
  readonly authority?: string;
  readonly port?: 'other' | 'expired';
  readonly code: string;
  readonly says: RegExp;
}

const KEY = { kind: 'K', scope: '', name: 'a' };

describe('etcd: TLS and users', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-tls-'));
  const stores: Store[] = [];
  let server: EtcdServer;
  const others = {
    other: new EtcdServer([`--cert-file=${file('other.crt')}`, `--key-file=${file('other.key')}`]),
    expired: new EtcdServer([`--cert-file=${file('expired.crt')}`, `--key-file=${file('expired.key')}`]),
  };

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
    etcdctl('user', 'add', 'guest:guest');
    etcdctl('role', 'add', 'nothing');
    etcdctl('role', 'grant-permission', 'nothing', 'read', '/calico/');
    etcdctl('user', 'grant-role', 'guest', 'nothing');
    etcdctl('auth', 'enable');
    issue('other', 'ca', 'serverAuth,clientAuth', 'DNS:other.example');
    issue('expired', 'ca', 'serverAuth,clientAuth', 'DNS:localhost,IP:127.0.0.1', '-1');
    await Promise.all(Object.values(others).map((one) => one.start()));
  });
  after(async () => {
    await server.remove();
    for (const one of Object.values(others)) await one.remove();
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

  it('with members of which all but the last are dead when it begins, and tokens that run out again and again', async () => {
    const store = await open('poplin:p%40ss%3A%2Fword@localhost:1,localhost:2,', 'client');
    const errors: unknown[] = [];
    const mirror = new Mirror(store, [{ kind: 'L' }], { onError: (error) => errors.push(error) });
    const told: unknown[] = [];
    mirror.onChange((changes) => told.push(...changes.map(({ value }) => value)));
    mirror.start();
    await until(() => mirror.synced);
    const key = { kind: 'L', scope: '', name: 'a' };
    // A token lasts a second: some writes come while it lasts, some as it ends, some after two of its lives.
    const values = Array.from({ length: 24 }, (_, i) => i);
    for (const value of values) {
      expect((await store.commit([{ type: 'put', key, value, expect: 'any' }])).ok).to.equal(true);
      expect((await store.get(key))?.value).to.equal(value);
      await new Promise((resolve) => setTimeout(resolve, value % 8 === 7 ? 2200 : 90));
    }
    await until(() => told.length === values.length);
    expect(told, 'each once, by one watch').to.deep.equal(values);
    expect(errors).to.deep.equal([]);
    await mirror.stop();
  });

  const MINE = 'poplin:p%40ss%3A%2Fword@';
  for (const { it: what, user, certificate = 'client', authority, port, code, says } of [
    { it: 'a wrong password', user: 'poplin:wrong@', code: 'STORE_LOGIN', says: /refuses the user poplin/ },
    { it: 'no user', user: '', code: 'STORE_DENIED', says: /without a user/ },
    {
      it: 'a certificate that a stranger signed',
      user: MINE,
      certificate: 'fake',
      code: 'STORE_TLS',
      says: /refuses our certificate/,
    },
    {
      it: 'a server that another authority vouches for',
      user: MINE,
      authority: 'stranger',
      code: 'STORE_TLS',
      says: /no authority that is trusted/,
    },
    {
      it: 'a server under another name',
      user: '',
      port: 'other',
      code: 'STORE_TLS',
      says: /for another name/,
    },
    {
      it: 'a server whose certificate has expired',
      user: '',
      port: 'expired',
      code: 'STORE_TLS',
      says: /not valid at this time/,
    },
  ] as const satisfies readonly Refused[] as readonly Refused[]) {
    it(`${what}: refused, and told in one sentence`, async () => {
      const error = await rejection(open(user, certificate, authority, port));
      expect(error).to.have.nested.property('problems[0].code', code);
      expect(error).to.have.nested.property('problems[0].what').that.matches(says);
      expect(String(error)).to.not.match(/wrong|p@ss|rpc|gRPC/);
    });
  }

  it('a user without the rights is told which, in a read, a write and a watch', async () => {
    const store = await open('guest:guest@', 'client');
    const started = performance.now();
    const attempts = [
      () => store.get(KEY),
      () => store.list({ kind: 'IPPool' }),
      () => store.commit([{ type: 'put', key: KEY, value: 1, expect: 'any' }]),
      () => follow(store, '1', [{ kind: 'IPPool' }]).ended,
    ];
    for (const attempt of attempts) {
      const error = await rejection(attempt());
      expect(error).to.have.nested.property('problems[0].code', 'STORE_DENIED');
      expect(String(error)).to.match(
        /the user guest at \/calico\/(poplin|resources)\/.*readwrite --prefix=true \/calico\//s,
      );
    }
    // None of them was asked again until patience ended.
    expect(performance.now() - started).to.be.lessThan(15_000);
  });

  it('a signed token that is older than the last change of users is renewed, in reads, writes and watches', async () => {
    openssl('genrsa', '-out', file('jwt.key'), '2048');
    openssl('rsa', '-in', file('jwt.key'), '-pubout', '-out', file('jwt.pub'));
    const jwt = new EtcdServer([
      `--auth-token=jwt,pub-key=${file('jwt.pub')},priv-key=${file('jwt.key')},sign-method=RS256,ttl=1m`,
    ]);
    await jwt.start();
    const administer = (...args: readonly string[]): void =>
      void execFileSync('etcdctl', [`--endpoints=${jwt.endpoint}`, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ETCDCTL_API: '3' },
      });
    try {
      administer('user', 'add', 'root:secret');
      administer('user', 'grant-role', 'root', 'root');
      administer('auth', 'enable');
      const store = await openStore(`etcd://root:secret@${jwt.endpoint}`);
      stores.push(store);
      const errors: unknown[] = [];
      const mirror = new Mirror(store, [{ kind: 'K' }], { onError: (error) => errors.push(error) });
      administer('--user=root:secret', 'user', 'add', 'other:word');
      mirror.start();
      expect((await store.commit([{ type: 'put', key: KEY, value: 1, expect: 'absent' }])).ok).to.equal(true);
      administer('--user=root:secret', 'user', 'add', 'third:word');
      expect(await store.get(KEY)).to.include({ value: 1 });
      await until(() => mirror.get(KEY)?.value === 1);
      expect(errors).to.deep.equal([]);
      await mirror.stop();
    } finally {
      await jwt.remove();
    }
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

  async function open(
    user: string,
    certificate: string,
    authority = 'ca',
    which?: keyof typeof others,
  ): Promise<Store> {
    const settings = new URLSearchParams({
      ca: file(`${authority}.crt`),
      cert: file(`${certificate}.crt`),
      key: file(`${certificate}.key`),
    });
    const store = await openStore(
      `etcds://${user}${(which === undefined ? server : others[which]).endpoint.replace('127.0.0.1', 'localhost')}/calico?${settings.toString()}`,
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

  function issue(
    name: string,
    authority: string,
    usage: string,
    alternative = `DNS:${name}`,
    days = '2',
  ): void {
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
      days,
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
  const deadline = performance.now() + 60_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
