/** The short way never takes what the schema refuses, nor reads anything in another way. */
import { expect } from 'chai';
import fc from 'fast-check';
import { validate } from '../../api/index.ts';
import { commonWorkload } from './stored-workload.ts';

const COMMON = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'WorkloadEndpoint',
  metadata: { name: 'n1-k8s-web-eth0', namespace: 'prod', labels: { app: 'web' } },
  spec: {
    orchestrator: 'k8s',
    node: 'n1',
    pod: 'web',
    endpoint: 'eth0',
    interfaceName: 'cali1',
    mac: '02:00:00:00:00:01',
    ipNetworks: ['10.0.0.1/32', 'fd00::1/128'],
    profiles: ['kns.prod', 'ksa.prod.default'],
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  },
};

/** Values near enough to right ones that a hasty check would take them. */
const oddities = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    1,
    -1,
    65_536,
    1.5,
    true,
    {},
    [],
    '',
    'a',
    'A',
    '-a',
    'a-',
    'a.b',
    'a..b',
    'a_b',
    '__proto__',
    'tcp',
    'TCP',
    'icmp',
    'HTTP',
    'http-1',
    '10.0.0.1',
    '10.0.0.1/24',
    '10.0.0.1/032',
    '10.0.0.256/32',
    'fd00::1/32',
    '/32',
    '::ffff:10.0.0.1/128',
    'fd00::1%1/128',
    'a'.repeat(16),
    'a'.repeat(64),
    'a'.repeat(254),
    'é',
  ),
  fc.string({ maxLength: 6 }),
);

/** Paths of everything in a common endpoint, and of some that are not in it. */
function paths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const own = Object.entries(value).flatMap(([key, each]) => paths(each, [...path, key]));
  return [path, ...own, [...path, 'more']];
}

function put(value: unknown, [key, ...rest]: readonly string[], what: unknown): unknown {
  if (key === undefined) return what;
  if (typeof value !== 'object' || value === null) return value;
  const copy = structuredClone(value) as Record<string, unknown>;
  if (what === undefined && rest.length === 0 && !Array.isArray(copy)) delete copy[key];
  else copy[key] = put(copy[key], rest, what);
  return copy;
}

describe('the short way for stored workload endpoints', () => {
  it('is the way of the common ones', () => {
    expect(commonWorkload(COMMON)).to.equal(COMMON);
    expect(validate(COMMON)).to.deep.equal({ ok: true, value: COMMON });
  });

  it('takes nothing that the schema refuses or would change', () => {
    const edit = fc.tuple(fc.constantFrom(...paths(COMMON)), oddities);
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
        const value = edits.reduce<unknown>((each, [path, what]) => put(each, path, what), COMMON);
        const taken = commonWorkload(value);
        if (taken === undefined) return;
        expect(validate(value)).to.deep.equal({ ok: true, value: taken });
      }),
      { numRuns: 5000 },
    );
  });
});
