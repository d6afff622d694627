/** Rules as users write them to rules over addresses, ports and sets. */
import { expect } from 'chai';
import type { Rule } from '../../api/index.ts';
import { compileRules } from './compile.ts';
import type { PolicyRule, SetDefinition } from './model.ts';

interface Compiled {
  readonly rule: PolicyRule | undefined;
  readonly sets: readonly SetDefinition[];
}

/** Unchecked: policies of Kubernetes become rules that the door would not let in from users. */
function compiled(rule: Omit<Rule, 'action'>): Compiled {
  return ofRules([{ action: 'Allow', ...rule }]);
}

function ofRules(rules: readonly Rule[]): Compiled {
  const result = compileRules(rules, undefined, 'spec.ingress');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return { rule: result.value.rules[0], sets: result.value.sets };
}

function ids(sets: readonly SetDefinition[]): readonly string[] {
  return sets.map(({ of }) =>
    'selector' in of
      ? `${of.selector.canonical}${of.namedPort === undefined ? '' : ` ${of.namedPort.protocol} ${of.namedPort.name}`}`
      : JSON.stringify(of),
  );
}

describe('rules, compiled', () => {
  const versions: readonly (readonly [what: string, rule: Omit<Rule, 'action'>, want: readonly number[]])[] =
    [
      ['nothing about the version', {}, [4, 6]],
      ['ipVersion', { ipVersion: 6 }, [6]],
      ['ICMP', { protocol: 'ICMP' }, [4]],
      ['ICMP by its number', { protocol: 1 }, [4]],
      ['ICMPv6', { protocol: 'ICMPv6' }, [6]],
      ['ICMPv6 by its number', { protocol: 58 }, [6]],
      ['nets of one version', { source: { nets: ['10.0.0.0/8'] } }, [4]],
      ['notNets of one version', { destination: { notNets: ['fd00::/8'] } }, [6]],
      ['nets of both', { source: { nets: ['10.0.0.0/8', 'fd00::/8'] } }, [4, 6]],
      ['everything of a version excluded', { source: { notNets: ['0.0.0.0/0', 'fd00::/8'] } }, [6]],
    ];
  for (const [what, rule, want] of versions)
    it(`hold in IPv${want.join(' and IPv')} with ${what}`, () =>
      expect(compiled(rule).rule?.versions).to.deep.equal(want));

  const never: readonly (readonly [what: string, rule: Rule])[] = [
    ['ICMP of IPv6', { action: 'Allow', protocol: 'ICMP', ipVersion: 6 }],
    ['ICMPv6 of IPv4', { action: 'Allow', protocol: 58, ipVersion: 4 }],
    ['a protocol that is excluded', { action: 'Allow', protocol: 'TCP', notProtocol: 6 }],
    ['a version that is excluded', { action: 'Allow', ipVersion: 4, source: { notNets: ['0.0.0.0/0'] } }],
    [
      'sides of two versions',
      { action: 'Allow', source: { nets: ['10.0.0.0/8'] }, destination: { nets: ['fd00::/8'] } },
    ],
  ];
  for (const [what, rule] of never)
    it(`are left out where nothing can match: ${what}`, () =>
      expect(ofRules([rule]).rule).to.equal(undefined));

  const FROM = "role == 'web'";
  const named: readonly (readonly [what: string, rule: object, want: readonly string[]])[] = [
    ['by name alone', { ports: ['http'] }, ['role == "web" tcp http']],
    ['by name and by number', { ports: ['http', 80] }, ['role == "web"', 'role == "web" tcp http']],
    ['by number', { ports: [80] }, ['role == "web"']],
    ['not by name', { notPorts: ['http'] }, ['role == "web"', 'role == "web" tcp http']],
  ];
  for (const [what, side, want] of named)
    it(`ask for an endpoint once, with ports ${what}`, () => {
      const { rule, sets } = compiled({ protocol: 'TCP', source: { selector: FROM, ...side } });
      expect(ids(sets)).to.deep.equal(want);
      expect(rule?.source.sets.length).to.equal(want.filter((each) => !each.includes('http')).length);
    });

  for (const [protocol, want] of [
    ['TCP', 'tcp'],
    [6, 'tcp'],
    ['UDP', 'udp'],
    [17, 'udp'],
    ['SCTP', 'sctp'],
    [132, 'sctp'],
  ] as const)
    it(`look for a port by its name among those of ${protocol}`, () =>
      expect(ids(compiled({ protocol, destination: { ports: ['x'] } }).sets)).to.deep.equal([
        `all() ${want} x`,
      ]));

  it('ask a service for its endpoints alone where it is the source, with their ports where it is the destination', () => {
    const services = { name: 'api', namespace: 'prod' };
    const from = compiled({ source: { services } });
    expect([from.rule?.source.sets.length, from.rule?.source.namedPorts.length]).to.deep.equal([1, 0]);
    const to = compiled({ destination: { services } });
    expect([to.rule?.destination.sets.length, to.rule?.destination.namedPorts.length]).to.deep.equal([0, 1]);
    expect(from.sets[0]?.id).not.to.equal(to.sets[0]?.id);
  });
});
