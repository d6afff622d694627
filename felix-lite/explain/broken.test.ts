/**
 * Policies that another tool stored wrong, in every way that JSON can be wrong: nothing throws, what is generated is what
 * the evaluator says of them, and who is not concerned meets the same policy as without them.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Resource } from '../../api/index.ts';
import { readResources } from './stored.ts';
import { change, expectAgreement, NODE_VIEW, valid } from './testing/agreement.ts';
import { cluster } from './testing/cluster.ts';
import { built, Kernel, VERSIONS } from './testing/kernel.ts';
import { packet } from './testing/packets.ts';

const POLICIES: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
]);

const junk = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 1e9, '', 'x', '((', 'all()', [], {}, ['x'], { x: 1 }, [null]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Puts something else at a place somewhere inside. */
function spoiled(value: unknown, way: readonly number[], with_: unknown): unknown {
  const [step = 0, ...rest] = way;
  if (typeof value !== 'object' || value === null) return with_;
  const keys = Object.keys(value);
  const key = keys[step % (keys.length + 1)];
  if (key === undefined) return Array.isArray(value) ? [...value, with_] : { ...value, newer: with_ };
  const inner = (value as Readonly<Record<string, unknown>>)[key];
  const after = rest.length === 0 ? with_ : spoiled(inner, rest, with_);
  return Array.isArray(value)
    ? value.map((each, index) => (String(index) === key ? after : (each as unknown)))
    : { ...value, [key]: after };
}

describe('policies that are stored broken', function () {
  this.timeout(600_000);

  it('close for the rules whom they close for the evaluator, and nothing throws', () => {
    const tally = { allowed: 0, denied: 0 };
    let broken = 0;
    const ways = fc.array(
      fc.record({
        at: fc.nat(20),
        way: fc.array(fc.nat(8), { minLength: 1, maxLength: 5 }),
        junk,
      }),
      { minLength: 1, maxLength: 4 },
    );
    const packets = fc.array(packet, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(cluster, ways, packets, (objects, edits, sent) => {
        const values: unknown[] = objects.map(valid);
        const places = values.flatMap((value, index) =>
          POLICIES.has((value as Resource).kind) ? [index] : [],
        );
        for (const edit of edits) {
          const place = places[edit.at % Math.max(places.length, 1)];
          if (place === undefined) continue;
          const policy = values[place] as Resource;
          values[place] = { ...policy, spec: spoiled(policy.spec, edit.way, edit.junk) };
        }
        const kernel = new Kernel();
        kernel.calculator.putInterfaces(NODE_VIEW.interfaces);
        kernel.calculator.update(
          values.map((value, index) => ({ key: change(valid(objects[index]!)).key, value })),
        );
        kernel.take();
        broken += kernel.calculator.closed().size;
        const resources = readResources(values);
        for (const version of VERSIONS)
          expectAgreement(
            resources,
            sent,
            version,
            { tables: kernel.held(version), sets: kernel.inKernel(version) },
            tally,
          );
      }),
      { numRuns: 100 },
    );
    expect(broken).to.be.greaterThan(100);
    expect(Math.min(tally.allowed, tally.denied)).to.be.greaterThan(1000);
  });

  it('leave those alone whom they do not select', () => {
    fc.assert(
      fc.property(
        cluster,
        junk,
        fc.array(fc.nat(8), { minLength: 1, maxLength: 4 }),
        (objects, with_, way) => {
          const resources = objects.map(valid);
          const before = built(resources);
          const kernel = built(resources);
          // Its selector is never touched, and selects nobody.
          const rules = spoiled(
            [{ action: 'Allow', protocol: 'TCP', source: { nets: ['10.0.0.0/8'] } }],
            way,
            with_,
          );
          const value = {
            apiVersion: 'projectcalico.org/v3',
            kind: 'GlobalNetworkPolicy',
            metadata: { name: 'bad' },
            spec: { selector: "role == 'nobody'", ingress: rules },
          };
          kernel.calculator.update([{ key: { kind: 'GlobalNetworkPolicy', scope: '', name: 'bad' }, value }]);
          kernel.take();
          expect(kernel.everything()).to.deep.equal(before.everything());
        },
      ),
      { numRuns: 100 },
    );
  });
});
