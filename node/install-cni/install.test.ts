/** Installing and taking away: whole files, only ours, and nothing that a runtime would trip over. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillTemplate, ownConflist, type Placeholders } from './conflist.ts';
import { install, type Places, uninstall } from './install.ts';
import { kubeconfigOf } from './kubeconfig.ts';

const VALUES: Placeholders = {
  agentSocket: '/run/poplin/agent.sock',
  mtu: 1400,
  node: 'n1',
  kubeconfig: '/etc/cni/net.d/poplin-kubeconfig',
  logLevel: 'info',
  apiHost: 'fd00::1',
  apiPort: '443',
};

describe('install-cni', () => {
  let folder: string;
  let places: Places;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-install-'));
    places = {
      binDir: join(folder, 'bin'),
      confDir: join(folder, 'net.d'),
      confName: '10-poplin.conflist',
      name: 'poplin',
      kubeconfig: join(folder, 'net.d', 'poplin-kubeconfig'),
    };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const contents = { conflist: ownConflist('poplin', VALUES), kubeconfig: '{"name": "poplin"}' };
  const files = (): string[] => [...readdirSync(places.binDir), ...readdirSync(places.confDir)].sort();

  it('puts plugin and configuration in place, once, and takes them away again', () => {
    expect(install(places, contents)).to.have.length(4);
    expect(files()).to.deep.equal(['10-poplin.conflist', 'poplin', 'poplin-kubeconfig', 'poplin-node']);
    expect(statSync(join(places.binDir, 'poplin')).mode & 0o777).to.equal(0o755);
    expect(statSync(join(places.confDir, places.confName)).mode & 0o777).to.equal(0o600);
    expect(install(places, contents)).to.deep.equal([]);
    expect(uninstall(places)).to.have.length(4);
    expect(files()).to.deep.equal([]);
    expect(uninstall(places)).to.deep.equal([]);
  });

  it('repairs what others changed: bytes, permissions, a token that was renewed', () => {
    install(places, contents);
    writeFileSync(join(places.binDir, 'poplin'), 'x');
    chmodSync(join(places.confDir, places.confName), 0o644);
    expect(install(places, { ...contents, kubeconfig: '{"name": "poplin", "token": 2}' })).to.deep.equal([
      join(places.binDir, 'poplin'),
      places.kubeconfig,
      join(places.confDir, places.confName),
    ]);
  });

  it('leaves files of others alone when it takes away', () => {
    mkdirSync(places.binDir);
    mkdirSync(places.confDir);
    writeFileSync(join(places.binDir, 'poplin'), 'of somebody else');
    writeFileSync(join(places.confDir, places.confName), '{"plugins":[{"type":"calico"}]}');
    expect(uninstall(places)).to.deep.equal([]);
    expect(files()).to.deep.equal(['10-poplin.conflist', 'poplin']);
  });

  it('leaves the old file and no other behind when it cannot write', () => {
    install(places, contents);
    rmSync(join(places.binDir, 'poplin'));
    mkdirSync(join(places.binDir, 'poplin'));
    expect(() => install(places, contents)).to.throw();
    expect(files().filter((name) => name.startsWith('.'))).to.deep.equal([]);
    expect(existsSync(join(places.confDir, places.confName))).to.equal(true);
  });

  it('fills a template of Calico, and refuses one that no runtime could read', () => {
    const template =
      '{"name":"n","cniVersion":"0.3.1","plugins":[{"type":"calico","mtu":__CNI_MTU__,"nodename":"__KUBERNETES_NODE_NAME__","kubernetes":{"kubeconfig":"__KUBECONFIG_FILEPATH__"}}]}';
    const filled = fillTemplate(template, VALUES);
    expect(filled.ok && JSON.parse(filled.value)).to.deep.nested.include({
      'plugins[0].mtu': 1400,
      'plugins[0].nodename': 'n1',
      'plugins[0].kubernetes.kubeconfig': VALUES.kubeconfig,
    });
    for (const bad of [
      '{',
      '{"name":"n","plugins":[]}',
      '{"plugins":[{"type":"x"}]}',
      '{"name":"n","plugins":[{}]}',
      '{"name":"__OTHER__"}',
    ])
      expect(fillTemplate(bad, VALUES).ok, bad).to.equal(false);
  });

  it('never takes a text for a configuration that does not name a plugin', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const filled = fillTemplate(text, VALUES);
        if (filled.ok)
          expect((JSON.parse(filled.value) as { plugins: unknown[] }).plugins).to.not.have.length(0);
      }),
    );
  });

  it('writes a kubeconfig from the service account', () => {
    writeFileSync(join(folder, 'token'), 'secret\n');
    writeFileSync(join(folder, 'ca.crt'), 'certificate');
    const config = JSON.parse(kubeconfigOf(folder, VALUES.apiHost, VALUES.apiPort)) as object;
    expect(config).to.nested.include({
      'clusters[0].cluster.server': 'https://[fd00::1]:443',
      'users[0].user.token': 'secret',
    });
  });

  it('installs a plugin that answers from where it was put', () => {
    install(places, contents);
    expect(readFileSync(join(places.binDir, 'poplin-node'), 'utf8')).to.contain('/cni-plugin/poplin-node');
  });
});
