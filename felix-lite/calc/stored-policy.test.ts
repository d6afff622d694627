/** The short way never takes what the schema refuses, nor reads anything in another way. */
import { expect } from 'chai';
import fc from 'fast-check';
import { validate } from '../../api/index.ts';
import { commonPolicy } from './stored-policy.ts';
import { oddities, paths, put } from './testing.ts';

const COMMON = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'NetworkPolicy',
  metadata: { name: 'web.in', namespace: 'prod', labels: { team: 'a' } },
  spec: {
    tier: 'security',
    order: 10,
    selector: "app == 'web'",
    types: ['Ingress', 'Egress'],
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role in {'a', 'b'}", namespaceSelector: 'all()', notSelector: 'has(old)' },
        destination: { ports: [80, '8000:8010', 'http'], notPorts: [8001] },
      },
      { action: 'Deny' },
    ],
    egress: [{ action: 'Pass', source: {}, destination: { selector: '!has(x)' } }],
    serviceAccountSelector: 'all()',
  },
};

const oddPolicies = fc.oneof(
  oddities,
  fc.constantFrom<unknown>(
    'global()',
    'a == "b" && global()',
    'a ==',
    "app == 'web'",
    '80',
    '080',
    '80:80',
    '90:80',
    '1:65536',
    '-1',
    'Ingress',
    'Egress',
    ['Ingress', 'Ingress'],
    ['Egress'],
    'Allow',
    'Log',
    'allow',
    'UDP',
    'ICMP',
    17,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    { ports: [1] },
    { nets: ['10.0.0.0/8'] },
    [80, '0:1'],
    [{ action: 'Allow', source: { ports: [1] } }],
  ),
);

describe('the short way for stored policies', () => {
  it('is the way of the common ones, and fills in what the schema does', () => {
    const { tier: _tier, types: _types, ...bare } = COMMON.spec;
    for (const spec of [COMMON.spec, bare, {}, { egress: [] }, { ...bare, ingress: [] }]) {
      const value = { ...COMMON, spec };
      const taken = commonPolicy(value);
      expect(taken).to.not.equal(undefined);
      expect(validate(value)).to.deep.equal({ ok: true, value: taken });
    }
  });

  it('takes nothing that the schema refuses or reads otherwise', () => {
    const edit = fc.tuple(fc.constantFrom(...paths(COMMON)), oddPolicies);
    let taken = 0;
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
        const value = edits.reduce<unknown>((each, [path, what]) => put(each, path, what), COMMON);
        const common = commonPolicy(value);
        if (common === undefined) return;
        taken++;
        expect(validate(value)).to.deep.equal({ ok: true, value: common });
      }),
      { numRuns: 5000 },
    );
    expect(taken).to.be.greaterThan(100);
  });
});
