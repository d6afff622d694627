/** Endpoints and policies in, chains as lines of iptables out. */
import { expect } from 'chai';
import { type ResourceOf, validate } from '../../api/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { plainRule } from '../calc/compile.ts';
import type { CalcDelta, LocalEndpoint, PolicyId, PolicyRef, PolicyRule } from '../calc/model.ts';
import { readSettings } from '../daemon/config.ts';
import { renderChain } from '../dataplane/iptables/render.ts';
import { travel } from '../explain/netfilter.ts';
import { RuleTables } from './tables.ts';
import { linesOf, policyRef } from './testing.ts';

const NOTHING: CalcDelta = {
  sets: new Map(),
  policies: new Map(),
  profiles: new Map(),
  endpoints: new Map(),
  hosts: new Map(),
};
const ALLOW = plainRule('Allow', 'spec.ingress[0]');

const ref = policyRef;

function endpoint(
  interfaceName: string,
  ingress: readonly PolicyRef[],
  profiles: readonly string[] = [],
): LocalEndpoint {
  const tiers =
    ingress.length === 0 ? [] : [{ name: 'default', defaultAction: 'Deny', ingress, egress: [] } as const];
  return { key: `ns/${interfaceName}`, interfaceName, tiers, profiles };
}

function tables(delta: Partial<CalcDelta>): RuleTables {
  const made = new RuleTables(readSettings(undefined, undefined).rules);
  made.update({ ...NOTHING, ...delta });
  return made;
}

function policies(...list: readonly (readonly [PolicyId, readonly PolicyRule[]])[]): CalcDelta['policies'] {
  return new Map(
    list.map(([id, ingress]) => [
      `${id.name}//${id.kind}`,
      { id, stage: 'normal', tier: 'default', ingress, egress: [] },
    ]),
  );
}

/** The lines of a chain without their hash comments. */
function lines(
  made: RuleTables,
  chain: string,
  version: 4 | 6 = 4,
  table: 'filter' | 'raw' = 'filter',
): readonly string[] | undefined {
  const found = made.chains(version, table).get(chain);
  return found === undefined ? undefined : linesOf(chain, found.rules, version);
}

function resource<K extends 'BGPConfiguration' | 'FelixConfiguration' | 'IPPool'>(
  kind: K,
  spec: object,
): ResourceOf<K> {
  const read = validate({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name: 'default' }, spec });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value as ResourceOf<K>;
}

function address(text: string): Address {
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

function endpoints(...list: readonly LocalEndpoint[]): CalcDelta['endpoints'] {
  return new Map(list.map((each) => [each.key, each]));
}

/** What the chain from a workload drops of tunnelled packets. */
function drops(spec: object): readonly string[] {
  const made = new RuleTables(readSettings(resource('FelixConfiguration', spec), undefined).rules);
  made.update({ ...NOTHING, endpoints: endpoints(endpoint('cali1', [])) });
  return (lines(made, 'cali-fw-cali1') ?? []).filter((line) => line.includes('encapped'));
}

describe('tables of chains', () => {
  it('let nothing through for services that are told of by BGP and not there, unless told to', () => {
    const bgp = resource('BGPConfiguration', {
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }, { cidr: 'fd00:96::/112' }],
      serviceExternalIPs: [{ cidr: '10.96.0.0/12' }],
    });
    const chain = (spec: object, version: 4 | 6): readonly string[] | undefined => {
      const settings = readSettings(resource('FelixConfiguration', spec), undefined, [], bgp);
      return lines(new RuleTables(settings.rules), 'cali-cidr-block', version);
    };
    expect(chain({}, 4)).to.deep.equal(['--destination 10.96.0.0/12 --jump DROP']);
    expect(chain({ serviceLoopPrevention: 'Reject' }, 6)).to.deep.equal([
      '--destination fd00:96::/112 --jump REJECT',
    ]);
    expect(chain({ serviceLoopPrevention: 'Disabled' }, 4)).to.equal(undefined);
    expect(lines(tables({}), 'cali-cidr-block'), 'where none are told of').to.equal(undefined);
  });

  it('track no connections of VXLAN, in the versions that have it', () => {
    const settings = readSettings(resource('FelixConfiguration', { vxlanPort: 8472 }), undefined, [
      resource('IPPool', { cidr: '10.0.0.0/8', vxlanMode: 'Always' }),
    ]);
    const made = new RuleTables(settings.rules);
    for (const [chain, version, count] of [
      ['cali-PREROUTING', 4, 1],
      ['cali-OUTPUT', 4, 1],
      ['cali-PREROUTING', 6, 0],
    ] as const) {
      const untracked = (lines(made, chain, version, 'raw') ?? []).filter((line) => line.endsWith('NOTRACK'));
      expect(untracked, `${chain} ${version}`).to.have.length(count);
      if (count > 0) expect(untracked[0]).to.contain('--destination-ports 8472');
    }
  });

  it('drop tunnelled packets of workloads by vxlanPort, and let pass what is allowed', () => {
    expect(drops({ vxlanPort: 8472 })[0]).to.contain('--destination-ports 8472 --jump DROP');
    expect(drops({ allowVXLANPacketsFromWorkloads: true })).to.have.length(1);
    expect(
      drops({ allowVXLANPacketsFromWorkloads: true, allowIPIPPacketsFromWorkloads: true }),
    ).to.deep.equal([]);
  });

  it('guards an endpoint in the order connection, tiers, profiles, drop', () => {
    const made = tables({
      policies: policies([ref('a').id, [ALLOW]]),
      endpoints: endpoints(endpoint('cali1', [ref('a')], ['kns.x'])),
    });
    expect(lines(made, 'cali-tw-cali1')).to.deep.equal([
      '-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT',
      '-m conntrack --ctstate INVALID --jump DROP',
      '--jump MARK --set-mark 0/0x30000',
      '-m comment --comment "Start of tier default" --jump MARK --set-mark 0/0x20000',
      '-m mark --mark 0/0x20000 --jump cali-pi-gnp/a',
      '-m comment --comment "Return if policy accepted" -m mark --mark 0x10000/0x10000 --jump RETURN',
      '-m comment --comment "Drop if no policies passed packet" -m mark --mark 0/0x20000 --jump DROP',
      '--jump cali-pri-kns.x',
      '-m comment --comment "Return if profile accepted" -m mark --mark 0x10000/0x10000 --jump RETURN',
      '-m comment --comment "Drop if no profiles matched" --jump DROP',
    ]);
    expect(lines(made, 'cali-pi-gnp/a')).to.deep.equal([
      '-m comment --comment "GlobalNetworkPolicy a ingress" --jump MARK --set-mark 0x10000/0x10000',
    ]);
  });

  it('keeps workloads from sending tunnelled packets', () =>
    expect(
      lines(tables({ endpoints: endpoints(endpoint('cali1', [])) }), 'cali-fw-cali1')?.slice(3, 5),
    ).to.deep.equal([
      '-m comment --comment "Drop VXLAN encapped packets originating in workloads" -p 17 -m multiport --destination-ports 4789 --jump DROP',
      '-m comment --comment "Drop IPinIP encapped packets originating in workloads" -p 4 --jump DROP',
    ]));

  it('shares a chain among endpoints for a run of policies with one selector', () => {
    const refs = ['a', 'b'].map((name) => ref(name));
    const made = tables({ endpoints: endpoints(endpoint('cali1', refs), endpoint('cali2', refs)) });
    const groups = [...made.chains(4, 'filter').keys()].filter((name) => name.startsWith('cali-gi-'));
    expect(groups).to.have.length(1);
    expect(lines(made, groups[0] ?? '')).to.deep.equal([
      '--jump cali-pi-gnp/a',
      '-m mark --mark 0/0x30000 --jump cali-pi-gnp/b',
    ]);
    made.update({ ...NOTHING, endpoints: new Map([['ns/cali1', undefined]]) });
    expect(made.chains(4, 'filter').has(groups[0] ?? '')).to.equal(true);
    made.update({ ...NOTHING, endpoints: new Map([['ns/cali2', undefined]]) });
    expect(made.chains(4, 'filter').has(groups[0] ?? '')).to.equal(false);
  });

  it('dispatches by a tree of names and drops what it does not know', () => {
    const made = tables({
      endpoints: endpoints(...['cali1a', 'cali1b', 'cali2x'].map((name) => endpoint(name, []))),
    });
    expect(lines(made, 'cali-to-wl-dispatch')).to.deep.equal([
      '--out-interface cali1+ --goto cali-to-wl-dispatch-1',
      '--out-interface cali2x --goto cali-tw-cali2x',
      '-m comment --comment "Unknown interface" --jump DROP',
    ]);
    expect(lines(made, 'cali-to-wl-dispatch-1')).to.deep.equal([
      '--out-interface cali1a --goto cali-tw-cali1a',
      '--out-interface cali1b --goto cali-tw-cali1b',
      '-m comment --comment "Unknown interface" --jump DROP',
    ]);
  });

  it('drops at a policy that it has not heard of yet', () =>
    expect(
      lines(tables({ endpoints: endpoints(endpoint('cali1', [ref('a')])) }), 'cali-pi-gnp/a'),
    ).to.deep.equal(['-m comment --comment "Chain is not known yet" --jump DROP']));

  it('programs only policies that an endpoint refers to', () =>
    expect(lines(tables({ policies: policies([ref('a').id, [ALLOW]]) }), 'cali-pi-gnp/a')).to.equal(
      undefined,
    ));

  it('makes the maps that rules ask before there is an endpoint to put into them', () => {
    const made = new RuleTables(readSettings(undefined, undefined).rules, 'map');
    const told = made
      .takeChanges()
      .flatMap(({ version, maps }) => [...maps.keys()].map((map) => [version, map]));
    expect(told).to.have.deep.members([
      [4, 'cali-fw-dispatch'],
      [4, 'cali-tw-dispatch'],
      [6, 'cali-fw-dispatch'],
      [6, 'cali-tw-dispatch'],
    ]);
  });

  it('carries the notes of a rule as comments on all of its kernel rules, that of the chain behind them', () => {
    const nets = ['10.0.0.0/8', '192.0.2.0/24']
      .map((text) => Prefix.parse(text))
      .filter((net) => net !== undefined);
    const noted: PolicyRule = {
      ...ALLOW,
      source: { ...ALLOW.source, nets },
      versions: [4],
      notes: ['owner=sam', 'ticket=7'],
    };
    const made = tables({
      policies: policies([ref('a').id, [noted]]),
      endpoints: endpoints(endpoint('cali1', [ref('a')])),
    });
    const comments = made
      .chains(4, 'filter')
      .get('cali-pi-gnp/a')
      ?.rules.map((each) => each.comments);
    expect(comments).to.deep.equal([
      ['owner=sam', 'ticket=7', 'GlobalNetworkPolicy a ingress'],
      ...Array.from({ length: 3 }, () => ['owner=sam', 'ticket=7']),
    ]);
  });

  it('lets workloads send from the prefixes of their endpoints where that is allowed, and from there only', () => {
    const source = ['10.0.0.0/8', 'fd01::/64']
      .map((text) => Prefix.parse(text))
      .filter((net) => net !== undefined);
    const spoofing = { ...endpoint('cali1', []), sources: source };
    const delta = { ...NOTHING, endpoints: endpoints(spoofing, endpoint('cali2', [])) };
    const skipped = (allowed: boolean, version: 4 | 6): readonly string[] => {
      const made = new RuleTables({ ...readSettings(undefined, undefined).rules, sourceSpoofing: allowed });
      made.update(delta);
      const chain = made.chains(version, 'raw').get('cali-rpf-skip');
      return renderChain('cali-rpf-skip', chain?.rules ?? [], version).map(({ text }) =>
        text.replace(/-m comment --comment "cali:[\w-]+" ?/, ''),
      );
    };
    expect(skipped(true, 4)).to.deep.equal(['--in-interface cali1 --source 10.0.0.0/8 --jump ACCEPT']);
    expect(skipped(true, 6)).to.deep.equal(['--in-interface cali1 --source fd01::/64 --jump ACCEPT']);
    expect(skipped(false, 4)).to.deep.equal([]);
    const made = new RuleTables({ ...readSettings(undefined, undefined).rules, sourceSpoofing: true });
    made.update(delta);
    const table = new Map(
      [...made.chains(4, 'raw').values()].map(({ name, rules }) => [
        name,
        renderChain(name, rules, 4).map(({ text }) => text),
      ]),
    );
    const tables = new Map([['raw', new Map([...table, ['PREROUTING', ['-j cali-PREROUTING']]])]]);
    const verdict = (inInterface: string, from: string): string =>
      travel(tables, new Map(), 'forwarded', {
        source: address(from),
        destination: address('192.0.2.1'),
        protocol: 6,
        inInterface,
        outInterface: 'eth0',
        state: 'NEW',
        strayed: true,
      }).verdict;
    expect(verdict('cali1', '10.1.2.3')).to.equal('ACCEPT');
    expect(verdict('cali1', '172.16.0.1')).to.equal('DROP');
    expect(verdict('cali2', '10.1.2.3')).to.equal('DROP');
    made.update({ ...NOTHING, endpoints: endpoints(endpoint('cali1', [])) });
    expect(made.chains(4, 'raw').get('cali-rpf-skip')?.rules).to.deep.equal([]);
  });

  it('tells each change once, and only what changed', () => {
    const made = tables({
      policies: policies([ref('a').id, [ALLOW]]),
      endpoints: endpoints(endpoint('cali1', [ref('a')]), endpoint('cali2', [ref('a')])),
    });
    made.takeChanges();
    expect(made.takeChanges()).to.deep.equal([]);
    made.update({ ...NOTHING, policies: policies([ref('a').id, [plainRule('Deny', 'x')]]) });
    const changes = made.takeChanges();
    expect(changes.map(({ version, table, chains }) => [version, table, ...chains.keys()])).to.deep.equal([
      [4, 'filter', 'cali-pi-gnp/a'],
      [6, 'filter', 'cali-pi-gnp/a'],
    ]);
  });

  it('asks one kernel rule what it can hold, and blocks for the rest', () => {
    const nets = ['10.0.0.0/8', '192.0.2.0/24']
      .map((text) => Prefix.parse(text))
      .filter((net) => net !== undefined);
    const ports = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16].map((port) => ({
      first: port,
      last: port,
    }));
    const many: PolicyRule = {
      ...ALLOW,
      versions: [4],
      protocol: 'tcp',
      source: { ...ALLOW.source, nets, notNets: nets.slice(0, 1), ports },
      destination: { ...ALLOW.destination, nets, ports },
    };
    const made = tables({
      policies: policies([ref('a').id, [many]]),
      endpoints: endpoints(endpoint('cali1', [ref('a')])),
    });
    expect(lines(made, 'cali-pi-gnp/a')).to.deep.equal([
      '-m comment --comment "GlobalNetworkPolicy a ingress" --jump MARK --set-mark 0x0/0x180000',
      '-p tcp -m multiport --source-ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 --jump MARK --set-mark 0x80000/0x80000',
      '-p tcp -m multiport --source-ports 16 --jump MARK --set-mark 0x80000/0x80000',
      '-p tcp -m multiport --destination-ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 --jump MARK --set-mark 0x100000/0x100000',
      '-p tcp -m multiport --destination-ports 16 --jump MARK --set-mark 0x100000/0x100000',
      '-m mark --mark 0/0x100000 --jump MARK --set-mark 0/0x80000',
      '--jump MARK --set-mark 0/0x100000',
      '--source 10.0.0.0/8 --jump MARK --set-mark 0x100000/0x100000',
      '--source 192.0.2.0/24 --jump MARK --set-mark 0x100000/0x100000',
      '-m mark --mark 0/0x100000 --jump MARK --set-mark 0/0x80000',
      '--jump MARK --set-mark 0/0x100000',
      '--destination 10.0.0.0/8 --jump MARK --set-mark 0x100000/0x100000',
      '--destination 192.0.2.0/24 --jump MARK --set-mark 0x100000/0x100000',
      '-m mark --mark 0/0x100000 --jump MARK --set-mark 0/0x80000',
      '-p tcp ! --source 10.0.0.0/8 -m mark --mark 0x80000/0x80000 --jump MARK --set-mark 0x10000/0x10000',
    ]);
    expect(lines(made, 'cali-pi-gnp/a', 6)).to.deep.equal([
      '-m comment --comment "GlobalNetworkPolicy a ingress"',
    ]);
  });
});
