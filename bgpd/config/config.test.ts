import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { formatProblem, unwrap } from '../../api/problem.ts';
import { Prefix } from '../../net/addr/index.ts';
import { evaluate } from '../filter/policy.ts';
import type { PeerConfig } from '../speaker/config.ts';
import { readRouter, routerSchema, type RouterSetup } from './index.ts';

const HEAD = 'asNumber: 65001\nrouterId: 192.0.2.1\n';

function setup(text: string): RouterSetup {
  return unwrap(readRouter(HEAD + text)).setup;
}

function onlyPeer(text: string): PeerConfig {
  const { peers } = setup(text).speaker;
  expect(peers.length).to.equal(1);
  return peers[0] as PeerConfig;
}

function told(text: string): string[] {
  const read = readRouter(text, 'r.yaml');
  return read.ok ? [] : read.problems.map(formatProblem);
}

describe('router.yaml', () => {
  it('needs an AS and a router id, and nothing else', () => {
    const { speaker, listen, kernelExport, controlSocket } = setup('');
    expect(speaker).to.deep.include({ asn: 65001, routerId: 0xc0000201, peers: [], originated: [] });
    expect(listen).to.deep.equal({ port: 179, addresses: undefined });
    expect(kernelExport).to.equal(false);
    expect(controlSocket).to.equal('/run/poplin/bgpd.sock');
    expect(told('').map((line) => line.split(';')[0])).to.deep.equal([
      'r.yaml: asNumber: is missing',
      'r.yaml: routerId: is missing',
    ]);
  });

  it('fills in what a peer does not say', () => {
    expect(onlyPeer('peers: [{address: 192.0.2.2, asNumber: 65002}]\n').session).to.deep.equal({
      name: '192.0.2.2',
      peerAddress: '192.0.2.2',
      peerPort: 179,
      peerAsn: 65002,
      localAsn: 65001,
      routerId: 0xc0000201,
      ttl: 1,
      holdSeconds: 90,
      connectRetrySeconds: 5,
      delayOpenSeconds: 0,
      passive: false,
      families: ['ipv4-unicast', 'ipv6-unicast'],
      gracefulRestart: { restartSeconds: 120 },
    });
  });

  const accumulated: readonly [text: string, aigp: boolean | undefined][] = [
    ['asNumber: 65002', undefined],
    ['asNumber: external', undefined],
    ['asNumber: 65002, aigp: true', true],
    ['asNumber: internal', true],
    ['asNumber: 65001', true],
    ['asNumber: 65001, aigp: false', undefined],
  ];
  for (const [text, aigp] of accumulated)
    it(`${aigp === true ? 'speaks' : 'does not speak'} AIGP where it says ${text} (RFC 7311 §3.3)`, () => {
      expect(onlyPeer(`peers: [{address: 192.0.2.2, ${text}}]\n`).session.aigp).to.equal(aigp);
    });

  const ttls: readonly [text: string, ttl: number | undefined][] = [
    ['asNumber: 65002', 1],
    ['asNumber: external', 1],
    ['asNumber: 65002, multihopTtl: 5', 5],
    ['asNumber: internal', undefined],
    ['asNumber: 65001', undefined],
    ['asNumber: internal, multihopTtl: 2', 2],
  ];
  for (const [text, ttl] of ttls)
    it(`sends with a TTL of ${ttl ?? "the system's choice"} where it says ${text}`, () => {
      expect(onlyPeer(`peers: [{address: 192.0.2.2, ${text}}]\n`).session.ttl).to.equal(ttl);
    });

  it('takes any AS but our own from an external peer without a number', () => {
    const { session } = onlyPeer('peers: [{address: 192.0.2.2, asNumber: external}]\n');
    expect(session.peerAsn).to.equal(undefined);
    expect(session.peerKind).to.equal('external');
  });

  it('inherits: own word first, then the group, then the group of the group; times one by one', () => {
    const { session, reflectorClient } = onlyPeer(`
peerGroups:
  base: {asNumber: internal, timers: {holdSeconds: 30, connectRetrySeconds: 7}, passive: true}
  clients: {group: base, timers: {holdSeconds: 9}, routeReflectorClient: true}
peers:
  - {address: 192.0.2.2, group: clients, passive: false, timers: {delayOpenSeconds: 2}}
`);
    expect(session).to.deep.include({
      peerAsn: 65001,
      holdSeconds: 9,
      connectRetrySeconds: 7,
      delayOpenSeconds: 2,
      passive: false,
    });
    expect(reflectorClient).to.equal(true);
  });

  it('tells every peer of all clusters of its own, so that loops show', () => {
    const { peers } = setup(`
clusterId: 192.0.2.100
peerGroups:
  a: {asNumber: internal, routeReflectorClient: true, clusterId: 0.0.0.1}
peers:
  - {address: 192.0.2.2, group: a}
  - {address: 192.0.2.3, group: a, clusterId: 0.0.0.2}
  - {address: 192.0.2.4, asNumber: internal}
`).speaker;
    expect(peers.map(({ clusterId, otherClusterIds }) => [clusterId, otherClusterIds])).to.deep.equal([
      [1, [2]],
      [2, [1]],
      [undefined, [1, 2]],
    ]);
  });

  it('makes prefixes of our own with what they carry', () => {
    const { originated } = setup(`
kernelExport: true
originate:
  - {prefix: 10.0.0.0/8, blackhole: true, med: 5, communities: ["65001:7", "65001:1:2", "rt:65001:9"]}
  - {prefix: "2001:db8::/32"}
`).speaker;
    expect(originated.map(({ prefix, kernel }) => `${prefix.toString()} ${kernel}`)).to.deep.equal([
      '10.0.0.0/8 blackhole',
      '2001:db8::/32 none',
    ]);
    expect(originated[0]?.attributes).to.deep.include({
      med: 5,
      communities: [0xfde90007],
      largeCommunities: [{ global: 65001, local1: 1, local2: 2 }],
      extendedCommunities: [0x0002_fde9_0000_0009n],
    });
  });

  it('knows its own addresses wherever they stand', () => {
    const { addresses } = setup(`
listen: {addresses: [192.0.2.1, "::"]}
addresses: ["2001:db8::1"]
peers: [{address: 192.0.2.2, asNumber: internal, sourceAddress: 192.0.2.9}]
`).speaker;
    expect(addresses.map(String)).to.deep.equal(['2001:db8::1', '192.0.2.1', '192.0.2.9']);
  });
});

/** Each up to its remedy. */
const warnings = (text: string): string[] =>
  unwrap(readRouter(HEAD + text, 'r.yaml')).warnings.map(
    (problem) => formatProblem(problem).split(';')[0] ?? '',
  );

describe('filters of router.yaml', () => {
  const FILTERS = `
filters:
  bogons: [{match: {prefixes: [{prefix: 10.0.0.0/8, maxLength: 32}]}, action: reject}]
  mark: [{action: continue, set: {localPref: 7}}]
  ours: [{name: ours, match: {source: local}, action: accept}]
`;
  const verdict = (list: string, prefix: string, source: 'local' | 'peers' = 'peers'): string => {
    const { importPolicy } = onlyPeer(
      `${FILTERS}peers: [{address: 192.0.2.2, asNumber: 65002, import: ${list}}]\n`,
    );
    if (importPolicy === undefined) return 'no policy';
    const result = evaluate(importPolicy, {
      prefix: Prefix.parse(prefix) as Prefix,
      source,
      peerKind: 'external',
      attributes: { origin: 'IGP', asPath: [] },
    });
    return result.accepted ? `accepted ${result.attributes.localPref ?? ''} ${result.rule}` : result.rule;
  };

  it('are asked in order, and reject what none decides', () => {
    expect(verdict('[bogons, mark, accept-all]', '10.1.0.0/16')).to.equal('filters.bogons[0]');
    expect(verdict('[bogons, mark, accept-all]', '192.0.2.0/24')).to.match(/^accepted 7 /);
    expect(verdict('[bogons]', '192.0.2.0/24')).to.equal('no rule matched');
    expect(verdict('[]', '192.0.2.0/24')).to.equal('no rule matched');
    expect(verdict('[reject-all, accept-all]', '192.0.2.0/24')).to.equal('no rule matched');
  });

  it('are named in verdicts', () => {
    expect(verdict('[ours]', '192.0.2.0/24', 'local')).to.equal('accepted  ours (filters.ours[0])');
  });

  it('are missed aloud on external peers (RFC 8212), and only there', () => {
    expect(warnings('peers: [{address: 192.0.2.2, asNumber: 65002, import: [accept-all]}]\n')).to.deep.equal([
      'r.yaml, line 3, column 9: peers[0].export: external peer 192.0.2.2 without export filter: nothing is told (RFC 8212)',
    ]);
    expect(warnings('peers: [{address: 192.0.2.2, asNumber: internal}]\n')).to.deep.equal([]);
    expect(warnings('peers: [{address: 192.0.2.2, asNumber: 65002, requirePolicy: false}]\n')).to.deep.equal(
      [],
    );
    expect(onlyPeer('peers: [{address: 192.0.2.2, asNumber: 65002}]\n')).to.not.have.property('importPolicy');
    expect(
      onlyPeer('peers: [{address: 192.0.2.2, asNumber: 65002, requirePolicy: false}]\n').importPolicy,
    ).to.deep.equal({ rules: [], otherwise: 'accept' });
  });
});

describe('mistakes in router.yaml', () => {
  const cases: readonly [text: string, line: number, column: number, words: RegExp][] = [
    ['asNumbr: 1', 3, 1, /no field "asNumbr"; write "asNumber"/],
    ['listen: {port: 70000}', 3, 10, /listen\.port: 70000/],
    [
      'peers:\n  - address: 192.0.2.300\n    asNumber: 1',
      4,
      5,
      /peers\[0\]\.address: .*does not hold an IP address/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1, ttlSecurityHops: 1, multihopTtl: 3}',
      4,
      59,
      /ttlSecurityHops sends with a TTL of 255/,
    ],
    ['dynamicPeers:\n  - {prefix: 192.0.2.0/24, asNumber: 1, password: x}', 4, 41, /a key is for an address/],
    [
      `peers:\n  - {address: 192.0.2.2, asNumber: 1, password: "${'é'.repeat(41)}"}`,
      4,
      39,
      // Without the key: what is wrong with a file ends up in logs.
      /password: (?!.*é).*at most 80 octets/,
    ],
    ['peers:\n  - address: 192.0.2.2', 4, 5, /peers\[0\]\.asNumber: is missing, here and in its group/],
    ['peers:\n  - address: 192.0.2.2\n    group: x\n    asNumber: 1', 5, 5, /no peer group "x"/],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1}\n  - {address: 192.0.2.2, asNumber: 2, name: b}',
      5,
      6,
      /peers\[0\] has the address/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1, name: a}\n  - {address: 192.0.2.3, asNumber: 2, name: a}',
      5,
      39,
      /peers\[0\] has the name a/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1, sourceAddress: "::1"}',
      4,
      39,
      /cannot be where a connection to 192\.0\.2\.2 comes from/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1, routeReflectorClient: true}',
      4,
      39,
      /only internal peers can be clients/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: internal, clusterId: 1.1.1.1}',
      4,
      46,
      /no client, and belongs to no cluster/,
    ],
    [
      'peers:\n  - {address: 192.0.2.2, asNumber: 1, timers: {holdSeconds: 2}}',
      4,
      48,
      /hold time of 2 s is not allowed/,
    ],
    ['peerGroups:\n  a: {group: b}\n  b: {group: a}', 4, 7, /"a" is, by this, inside itself/],
    ['peerGroups:\n  a: {import: [nil]}', 4, 16, /peerGroups\.a\.import\[0\]: there is no filter "nil"/],
    ['filters:\n  accept-all: []', 4, 3, /"accept-all" is there already/],
    ['filters:\n  f:\n    - {match: {asPath: "(1"}, action: accept}', 5, 16, /parenthesis is not closed/],
    [
      'filters:\n  f:\n    - {match: {prefixes: [{prefix: 10.0.0.0/8, minLength: 4}]}, action: accept}',
      5,
      48,
      /no prefix in 10\.0\.0\.0\/8 has the length 4/,
    ],
    ['filters:\n  f:\n    - {action: reject, set: {med: 1}}', 5, 24, /a rejected route cannot be changed/],
    ['originate:\n  - prefix: 10.0.0.1/8', 4, 5, /bits set beyond its prefix length; write 10\.0\.0\.0\/8/],
    [
      'originate:\n  - {prefix: 10.0.0.0/8}\n  - {prefix: 10.0.0.0/8}',
      5,
      6,
      /originate\[0\] is 10\.0\.0\.0\/8 already/,
    ],
    [
      'dynamicPeers:\n  - {prefix: 10.0.0.0/8}',
      4,
      5,
      /dynamicPeers\[0\]\.asNumber: is missing, here and in its group/,
    ],
    [
      'dynamicPeers:\n  - {prefix: 10.0.0.0/8, asNumber: internal, group: x}',
      4,
      46,
      /there is no peer group "x"/,
    ],
    ['clusterId: 0.0.0.0', 3, 1, /0\.0\.0\.0 is no identifier/],
    ['peers: [', 4, 1, /not valid YAML/],
    ['asNumber: 7', 3, 1, /a field is given twice/],
  ];
  for (const [text, line, column, words] of cases)
    it(`${JSON.stringify(text)} is told at ${line}:${column}`, () => {
      const problems = told(`${HEAD}${text}\n`);
      expect(problems.join('\n')).to.match(words);
      expect(
        problems.some((each) => each.startsWith(`r.yaml, line ${line}, column ${column}: `)),
        problems.join('\n'),
      ).to.equal(true);
    });

  it('all of the same kind are told at once', () => {
    expect(told(`${HEAD}peers:\n  - {address: x, asNumber: 0}\n  - {adress: 192.0.2.1}\n`).length).to.equal(
      4,
    );
  });

  it('never throw, whatever the text', () => {
    const line = fc.constantFrom(
      'asNumber: 1',
      'routerId: 1.1.1.1',
      'peers:',
      '  - address: 192.0.2.1',
      '  - {',
      'filters: {a: [',
      '\t',
      '&a',
      '*a',
      '<<: *a',
      '? ',
      '!!set',
      'null',
      '- 1',
      '"',
      '| ',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 12 }), (lines) => {
        readRouter(lines.join('\n'));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the examples of router.yaml', () => {
  const folder = join(import.meta.dirname, 'examples');
  for (const name of readdirSync(folder))
    it(`${name} is good, without a warning`, () => {
      const { warnings } = unwrap(readRouter(readFileSync(join(folder, name), 'utf8'), name));
      expect(warnings).to.deep.equal([]);
    });

  it('reflector.yaml makes two clients of one cluster', () => {
    const { setup } = unwrap(readRouter(readFileSync(join(folder, 'reflector.yaml'), 'utf8')));
    expect(setup.speaker.peers.map((peer) => peer.reflectorClient)).to.deep.equal([true, true]);
    expect(setup.speaker.clusterId).to.equal(0xc0000201);
  });
});

describe('the schema of router.yaml', () => {
  it('describes every field', () => {
    const bare: string[] = [];
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties, items, additionalProperties } = node as Record<string, unknown>;
      for (const [name, child] of Object.entries(properties ?? {})) {
        if ((child as { description?: string }).description === undefined) bare.push(`${path}.${name}`);
        walk(child, `${path}.${name}`);
      }
      walk(items, `${path}[]`);
      walk(additionalProperties, `${path}.NAME`);
    };
    walk(routerSchema(), '');
    expect(bare).to.deep.equal([]);
  });
});
