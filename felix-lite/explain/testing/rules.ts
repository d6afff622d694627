/** Random rules of policies and profiles, over a handful of labels, nets and ports that meet one another. */
import fc from 'fast-check';
import type { IpVersion } from '../../../net/addr/index.ts';

export const selector = fc.constantFrom(
  'all()',
  "role == 'web'",
  "role != 'web'",
  "role in {'web', 'db'}",
  "role not in {'db'}",
  'has(role)',
  '!has(role)',
  "role starts with 'w' || zone == 'a'",
  "role contains 'b' && zone != 'b'",
  "zone ends with 'a'",
  "!(role == 'db' && zone == 'a')",
);
const namespaceSelector = fc.constantFrom('all()', "team == 'red'", "team != 'red'", 'has(team)', 'global()');
const port = fc.constantFrom<number | string>(80, 443, '8000:8010', 'http', 'dns', 22, '1:79');
const nets4 = fc.constantFrom(
  '10.0.0.0/29',
  '10.0.0.2/32',
  '10.0.0.4/30',
  '0.0.0.0/0',
  '192.0.2.0/24',
  '10.0.0.0/28',
);
const nets6 = fc.constantFrom('fd00::/125', 'fd00::2/128', '::/0', '2001:db8::/32', 'fd00::4/126');

export function optional<T>(name: string, value: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<object> {
  return fc.oneof(
    { weight, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: value.map((each) => ({ [name]: each })) },
  );
}

export function merged(...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> {
  return fc.tuple(...parts).map((all) => Object.assign({}, ...all) as object);
}

function side(version: IpVersion, ports: boolean): fc.Arbitrary<object> {
  const net = version === 4 ? nets4 : nets6;
  const many = fc.array(port, { minLength: 1, maxLength: 4 });
  const lots = fc.constant(Array.from({ length: 20 }, (_, index) => 70 + index));
  return merged(
    optional('nets', fc.array(net, { minLength: 1, maxLength: 3 })),
    optional('notNets', fc.array(net, { minLength: 1, maxLength: 2 }), 5),
    optional('selector', selector),
    optional('notSelector', selector, 6),
    optional('namespaceSelector', namespaceSelector, 5),
    optional(
      'serviceAccounts',
      fc.constantFrom(
        { names: ['robot'] },
        { selector: "trusted == 'yes'" },
        { names: ['robot', 'x'], selector: 'all()' },
      ),
      8,
    ),
    ...(ports
      ? [optional('ports', fc.oneof(many, many, lots)), optional('notPorts', fc.oneof(many, lots), 5)]
      : []),
  );
}

const rule: fc.Arbitrary<object> = fc
  .record({
    version: fc.constantFrom<IpVersion>(4, 6),
    protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 89, undefined, undefined),
    action: fc.constantFrom('Allow', 'Allow', 'Deny', 'Pass', 'Log'),
    ofVersion: fc.boolean(),
  })
  .chain(({ version, protocol, action, ofVersion }) => {
    const family = protocol === 'ICMP' ? 4 : protocol === 'ICMPv6' ? 6 : version;
    const ports = ['TCP', 'UDP', 'SCTP'].includes(String(protocol));
    const icmp = family === 4 ? { type: 8, code: 0 } : { type: 128 };
    const isIcmp = String(protocol).startsWith('ICMP');
    return merged(
      fc.constant({ action }),
      fc.constant(protocol === undefined ? {} : { protocol }),
      fc.constant(ofVersion ? { ipVersion: family } : {}),
      optional('source', side(family, ports), 1),
      optional('destination', side(family, ports), 1),
      ...(isIcmp ? [optional('icmp', fc.constant(icmp), 1), optional('notICMP', fc.constant(icmp), 2)] : []),
      optional('notProtocol', fc.constantFrom('TCP', 'UDP', 17), 4),
    );
  });

export const rules = fc.array(rule, { maxLength: 4 });
/** As broad as a rule can be, so that much depends on where it is asked. */
export const hostRule = fc.oneof(
  fc.constantFrom('Allow', 'Deny', 'Pass').map((action) => ({ action })),
  fc
    .record({ action: fc.constantFrom('Allow', 'Deny', 'Pass'), protocol: fc.constantFrom('TCP', 'UDP') })
    .map((each) => each),
  rule,
);
/** A service stands on the other side only, alone, and brings its own ports. */
export function rulesWithService(side: 'source' | 'destination'): fc.Arbitrary<object[]> {
  const service = fc
    .constantFrom(
      { action: 'Allow' },
      { action: 'Deny', protocol: 'TCP' },
      { action: 'Allow', protocol: 'UDP' },
    )
    .map((each) => ({ ...each, [side]: { services: { name: 'api', namespace: 'prod' } } }));
  return fc.array(fc.oneof({ weight: 6, arbitrary: rule }, { weight: 1, arbitrary: service }), {
    maxLength: 4,
  });
}
