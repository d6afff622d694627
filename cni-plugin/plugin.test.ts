import { expect } from 'chai';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from '../api/problem.ts';
import { PendingDeletions } from './pending.ts';
import { type PluginPorts, runPlugin } from './plugin.ts';
import type { CniRequest } from './protocol.ts';

const conf = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'net',
  type: 'poplin',
  agent_socket: '/tmp/none/agent.sock',
});
const call = (command: string): Record<string, string> => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: '4f1c',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'eth0',
  HOME: '/root',
});

const away = fail({
  code: 'CONTROL_UNREACHABLE',
  what: 'nothing answers on /tmp/none/agent.sock (ENOENT)',
  remedy: 'start it',
});

function ports(answer: Result<unknown>): PluginPorts & { asked: CniRequest[]; promised: string[] } {
  const asked: CniRequest[] = [];
  const promised: string[] = [];
  return {
    asked,
    promised,
    ask: (socket, request) => {
      expect(socket).to.equal('/tmp/none/agent.sock');
      asked.push(request);
      return Promise.resolve(answer);
    },
    promiseDeletion: (_socket, network, request) =>
      void promised.push(`${network} ${request.env['CNI_CONTAINERID']}`),
  };
}

const request = (id: string): CniRequest => ({
  command: 'DEL',
  env: { CNI_CONTAINERID: id, CNI_IFNAME: 'eth0' },
  stdin: conf,
});

describe('CNI executable', () => {
  it('hands variables and standard input over verbatim, but nothing of the environment beside, and prints the answer', async () => {
    const there = ports(ok({ exitCode: 0, output: { cniVersion: '1.0.0', ips: [] } }));
    const response = await runPlugin(call('ADD'), conf, there);
    expect(response).to.deep.equal({ exitCode: 0, output: { cniVersion: '1.0.0', ips: [] } });
    const { HOME: _, ...variables } = call('ADD');
    expect(there.asked).to.deep.equal([{ command: 'ADD', env: variables, stdin: conf }]);
  });

  for (const { command, code } of [
    { command: 'ADD', code: 11 },
    { command: 'CHECK', code: 11 },
    { command: 'GC', code: 11 },
    { command: 'STATUS', code: 50 },
  ]) {
    it(`answers code ${code} to ${command} when the agent is away, and says what to look at`, async () => {
      const response = await runPlugin(call(command), conf, ports(away));
      expect(response.exitCode).to.equal(1);
      expect(response.output).to.include({ cniVersion: '1.0.0', code });
      expect(response.output).to.have.property('msg').that.contains('/tmp/none/agent.sock');
    });
  }

  it('promises DEL when the agent is away, and prints nothing', async () => {
    const gone = ports(away);
    expect(await runPlugin(call('DEL'), conf, gone)).to.deep.equal({ exitCode: 0, output: null });
    expect(gone.promised).to.deep.equal(['net 4f1c']);
  });

  it('promises DEL also when the agent died while it worked', async () => {
    const dying = ports(ok('not an answer'));
    expect((await runPlugin(call('DEL'), conf, dying)).exitCode).to.equal(0);
    expect(dying.promised).to.have.length(1);
  });

  it('fails DEL only when it can promise nothing', async () => {
    const full: PluginPorts = {
      ask: () => Promise.resolve(away),
      promiseDeletion: () => {
        throw new Error('ENOSPC: no space left on device');
      },
    };
    const response = await runPlugin(call('DEL'), conf, full);
    expect(response.output).to.include({ code: 11 });
    expect(response.output).to.have.property('details').that.contains('ENOSPC');
  });

  it('answers VERSION alone, with the version that was asked in', async () => {
    const response = await runPlugin({ CNI_COMMAND: 'VERSION' }, '{"cniVersion":"0.4.0"}', ports(away));
    expect(response).to.deep.equal({
      exitCode: 0,
      output: { cniVersion: '0.4.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] },
    });
  });

  for (const bad of [
    { it: 'a configuration that is not JSON', env: call('ADD'), stdin: '{nope', code: 6 },
    { it: 'a missing variable', env: { CNI_COMMAND: 'ADD' }, stdin: conf, code: 4 },
    { it: 'an unknown version', env: call('ADD'), stdin: '{"cniVersion":"9.9.9","name":"net"}', code: 1 },
    { it: 'a missing version', env: call('ADD'), stdin: '{"name":"net"}', code: 1 },
    {
      it: 'a relative socket',
      env: call('ADD'),
      stdin: '{"cniVersion":"1.0.0","name":"n","agent_socket":"x"}',
      code: 7,
    },
  ]) {
    it(`answers code ${bad.code} to ${bad.it} without asking anybody`, async () => {
      const nobody = ports(away);
      const response = await runPlugin(bad.env, bad.stdin, nobody);
      expect(response.exitCode).to.equal(1);
      expect(response.output).to.have.property('code', bad.code);
      expect(response.output).to.have.property('cniVersion');
      expect(nobody.asked).to.deep.equal([]);
    });
  }

  it('passes on a DEL of a version nobody speaks, which could otherwise never succeed', async () => {
    const there = ports(ok({ exitCode: 0, output: null }));
    const stdin = '{"cniVersion":"9.9.9","name":"net","agent_socket":"/tmp/none/agent.sock"}';
    expect((await runPlugin(call('DEL'), stdin, there)).exitCode).to.equal(0);
    expect(there.asked).to.have.length(1);
  });
});

describe('pending deletions', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'poplin-pending-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('keeps what was promised, once each, until it is removed', () => {
    const pending = new PendingDeletions(folder);
    expect(pending.list()).to.deep.equal([]);
    for (const id of ['a', 'b', 'a']) pending.add('net', request(id));
    const listed = new PendingDeletions(folder).list();
    expect(listed.map((one) => one.request.env['CNI_CONTAINERID'])).to.have.members(['a', 'b']);
    for (const one of listed) pending.remove(one.id);
    expect(pending.list()).to.deep.equal([]);
  });

  it('is not stopped by a file that a full disk left half written', () => {
    const pending = new PendingDeletions(folder);
    pending.add('net', request('a'));
    writeFileSync(join(folder, 'pending-deletions', 'half.json'), '{"command":"DEL"');
    expect(pending.list()).to.have.length(1);
  });

  it('leaves no temporary file behind', () => {
    new PendingDeletions(folder).add('net', request('a'));
    expect(
      readdirSync(join(folder, 'pending-deletions')).filter((name) => !name.endsWith('.json')),
    ).to.deep.equal([]);
  });

  it('lies beside the socket that was asked', () => {
    PendingDeletions.beside(join(folder, 'agent.sock')).add('net', request('a'));
    expect(new PendingDeletions(folder).list()).to.have.length(1);
  });
});
