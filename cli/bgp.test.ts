import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'yaml';
import { controlRoutes } from '../bgpd/daemon/control.ts';
import type { Subject } from '../bgpd/daemon/subject.ts';
import type { Policy } from '../bgpd/filter/policy.ts';
import { World, configOf, peerOf, prefix } from '../bgpd/speaker/testing/world.ts';
import { type ControlServer, serveControl } from '../daemon/control.ts';
import { commandLine, type CommandLine } from './testing.ts';

const IMPORT: Policy = {
  rules: [
    {
      name: 'no tests',
      match: { prefix: { operator: 'In', cidr: prefix('10.9.0.0/16') } },
      action: 'reject',
    },
    { name: 'prefer a', match: {}, action: 'accept', operations: [{ type: 'set-local-pref', value: 200 }] },
  ],
  otherwise: 'reject',
};

/** A speaker `m` between `a` and `b` on a simulated network, and its real control socket. */
function speaker(): Subject {
  const world = new World();
  const m = world.router('m', 65000, '10.0.0.1');
  const a = world.router('a', 65001, '10.0.0.2');
  const b = world.router('b', 65002, '10.0.0.3');
  m.speaker.configure(configOf(m, [peerOf(m, a, { importPolicy: IMPORT }), peerOf(m, b)]));
  a.speaker.configure(configOf(a, [peerOf(a, m)], ['10.1.0.0/16', '10.9.0.0/16']));
  b.speaker.configure(configOf(b, [peerOf(b, m)], ['10.1.0.0/16', 'fd00:2::/64']));
  world.connect(m, a);
  world.connect(m, b);
  const engine = { speaker: m.speaker, clock: world.clock, fib: undefined, startedAt: 0 };
  return { node: 'm', engine: engine as unknown as Subject['engine'], synced: true, problems: [] };
}

describe('poplin bgp', () => {
  let poplin: CommandLine;
  let control: ControlServer;
  let where: string;

  beforeEach(async () => {
    poplin = commandLine();
    const runDir = join(poplin.folder, 'run');
    mkdirSync(runDir);
    control = await serveControl(join(runDir, 'bgpd.sock'), controlRoutes(speaker()));
    where = `--run-dir ${runDir}`;
  });
  afterEach(() => control.close());

  /** Runs of spaces as one: what a table says, not how wide it is. */
  async function table(line: string): Promise<string[]> {
    const ran = await poplin(`${line} ${where}`);
    expect(ran.err).to.equal('');
    expect(ran.code).to.equal(0);
    return ran.out
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => each.trim().replaceAll(/ +/g, ' '));
  }

  async function json(line: string): Promise<Record<string, unknown>[]> {
    return JSON.parse((await poplin(`${line} -o json ${where}`)).out) as Record<string, unknown>[];
  }

  it('lists neighbors', async () => {
    expect(await table('bgp neighbors')).to.deep.equal([
      'NEIGHBOR ADDRESS AS STATE SINCE RECEIVED ADVERTISED LAST ERROR',
      'a 10.0.0.2 65001 Established 00:00:00 1 of 2 1',
      'b 10.0.0.3 65002 Established 00:00:00 2 1',
    ]);
    expect((await json('bgp neighbors')).map(({ name }) => name)).to.deep.equal(['a', 'b']);
    const yaml = await poplin(`bgp neighbors -o yaml ${where}`);
    expect((parse(yaml.out) as { name: string }[]).map(({ name }) => name)).to.deep.equal(['a', 'b']);
    const socket = await poplin(`bgp neighbors -o json --socket ${control.path}`);
    expect(JSON.parse(socket.out)).to.have.length(2);
  });

  it('shows one neighbor by name or address', async () => {
    for (const name of ['a', '10.0.0.2']) {
      const lines = await table(`bgp neighbor ${name}`);
      expect(lines).to.include('AS: 65001, external; ours is 65000');
      expect(lines).to.include('ipv4-unicast 2 1 1 0 0');
      expect(lines).to.include('Last error sent: none');
    }
    const view = await poplin(`bgp neighbor a -o json ${where}`);
    expect(JSON.parse(view.out)).to.deep.include({ name: 'a', kind: 'external', asn: 65001 });
    const missing = await poplin(`bgp neighbor nobody ${where}`);
    expect(missing.code).to.equal(1);
    expect(missing.err).to.contain('there is no neighbor "nobody"').and.to.contain('there are a, b');
  });

  it('shows routes with why each path was or was not chosen', async () => {
    expect(await table('bgp routes')).to.deep.equal([
      'PREFIX NEXT HOP NEIGHBOR PREF MED AS PATH ORIGIN WHY',
      '> 10.1.0.0/16 10.0.0.2 a 200 65001 IGP best',
      '10.0.0.3 b 100 65002 IGP lost: another has a higher LOCAL_PREF (RFC 4271 §9.1.1)',
      'x 10.9.0.0/16 10.0.0.2 a 100 65001 IGP no tests',
      '> fd00:2::/64 fd00::3 b 100 65002 IGP best',
    ]);
    expect(await table('bgp routes best 10.1.2.3')).to.have.length(2);
    expect((await json('bgp routes --family ipv6-unicast')).map((route) => route['prefix'])).to.deep.equal([
      'fd00:2::/64',
    ]);
    expect(await json('bgp routes 10.0.0.0/8 --within --limit 1')).to.have.length(1);
    expect(await json('bgp routes 192.0.2.0/24')).to.deep.equal([]);
    expect((await poplin(`bgp routes 192.0.2.0/24 -o yaml ${where}`)).out).to.equal('[]\n');
  });

  it('explains imports and exports by their rules', async () => {
    const lines = await table('bgp routes 10.1.0.0/16 --explain');
    expect(lines).to.include('import: accepted by prefer a');
    expect(lines).to.include('localPref: none -> 200');
    expect(lines).to.include('kernel: installed');
    expect(lines).to.include('not told to a: the route came from this peer');
    expect(lines).to.include('told to b: no rule matched');
  });

  it('shows what a neighbor sent, and what it is told', async () => {
    expect(await table('bgp routes in --neighbor a --explain')).to.deep.equal([
      'PREFIX NEXT HOP NEIGHBOR PREF MED AS PATH ORIGIN BY IMPORT',
      '10.1.0.0/16 10.0.0.2 a 65001 IGP accepted',
      'import: accepted by prefer a',
      'localPref: none -> 200',
      'x 10.9.0.0/16 10.0.0.2 a 65001 IGP no tests',
      'import: refused by no tests',
    ]);
    expect(await table('bgp routes out --neighbor b')).to.deep.equal([
      'PREFIX NEXT HOP NEIGHBOR PREF MED AS PATH ORIGIN BY EXPORT',
      '10.1.0.0/16 10.0.0.1 b 65000 65001 IGP no rule matched',
    ]);
    expect((await json('bgp routes out')).map(({ peer }) => peer)).to.have.members(['a', 'b']);
  });

  it('clears sessions, hard or soft, one or all', async () => {
    expect(await table('bgp clear a --soft both')).to.deep.equal([
      'NEIGHBOR WHAT WAS DONE',
      'a asked for ipv4-unicast, ipv6-unicast; told ipv4-unicast, ipv6-unicast again',
    ]);
    expect(await json('bgp clear --all --soft in --family ipv4-unicast')).to.deep.equal(
      ['a', 'b'].map((peer) => ({
        peer,
        outcome: 'refreshed',
        asked: ['ipv4-unicast'],
        judged: [],
        told: [],
      })),
    );
    expect(await table('bgp clear 10.0.0.3')).to.deep.equal([
      'NEIGHBOR WHAT WAS DONE',
      'b session ended, and started again',
    ]);
    expect((await json('bgp neighbors')).map(({ state }) => state)).to.deep.equal(['Established', 'Connect']);
    expect(await table('bgp clear b --soft in')).to.deep.equal([
      'NEIGHBOR WHAT WAS DONE',
      'b nothing: there is no session, and the next one begins with all routes',
    ]);
    const missing = await poplin(`bgp clear nobody ${where}`);
    expect(missing.code).to.equal(1);
    expect(missing.err).to.contain('there is no neighbor "nobody"');
  });

  it('says that no bgpd answers', async () => {
    const ran = await poplin(`bgp routes --socket ${poplin.folder}/none.sock`);
    expect(ran.code).to.equal(1);
    expect(ran.err).to.contain('nothing answers on');
  });

  const wrong = [
    ['bgp routes inn', 'neither a view'],
    ['bgp routes inn 10.0.0.0/8', '"inn" is no view'],
    ['bgp routes in 10.0.0.0/33', 'is no prefix'],
    ['bgp routes --within', '--within needs a prefix'],
    ['bgp routes --limit 0', '--limit needs'],
    ['bgp routes --family ipv4', 'family'],
    ['bgp clear', 'name one neighbor, or say --all'],
    ['bgp clear a --all', 'name one neighbor, or say --all'],
    ['bgp clear a --family ipv4-unicast', '--family goes with --soft'],
    ['bgp neighbors --socket a --node b', '--socket says it all'],
  ] as const;
  for (const [line, says] of wrong) {
    it(`refuses ${line}`, async () => {
      const ran = await poplin(line);
      expect(ran.code).to.equal(2);
      expect(ran.err).to.contain(says);
    });
  }
});
