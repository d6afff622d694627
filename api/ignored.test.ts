import { expect } from 'chai';
import { parse } from 'yaml';
import { notActedOn } from './ignored.ts';
import { ACTED_ON } from './kinds/acted-on.ts';
import { KINDS } from './kinds/index.ts';
import type { FieldPath } from './schema/path.ts';
import { schemaAt } from './schema/shape.ts';
import { validate } from './validate.ts';

function ignored(kind: string, spec: string, name = 'default'): string[] {
  const result = validate({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name, namespace: 'prod' },
    spec: parse(spec) as unknown,
  });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return notActedOn(result.value);
}

describe('api: fields that are stored without effect', () => {
  it('are told by their paths', () => {
    expect(
      ignored('FelixConfiguration', '{bpfEnabled: true, logPrefix: x, bpfLogLevel: Debug}'),
    ).to.deep.equal(['spec.bpfEnabled', 'spec.bpfLogLevel']);
    expect(ignored('CalicoNodeStatus', '{node: w-1, classes: [BGP]}')).to.deep.equal(['spec']);
    expect(
      ignored('NetworkPolicy', '{ingress: [{action: Deny}, {action: Allow, http: {methods: [GET]}}]}'),
    ).to.deep.equal(['spec.ingress[].http']);
  });

  it('are not told of when they say nothing', () => {
    expect(ignored('FelixConfiguration', '{bpfEnabled: false, externalNodesList: []}')).to.deep.equal([]);
    expect(ignored('IPPool', '{cidr: 10.0.0.0/16, natOutgoing: false}')).to.deep.equal([]);
    expect(ignored('IPPool', '{cidr: 10.0.0.0/16, vxlanMode: Never}')).to.deep.equal([]);
  });

  it('are fields that there are', () => {
    const wrong = KINDS.flatMap(({ kind, schema }) => {
      const { ignored: paths = [], acted = [] } = ACTED_ON[kind] ?? {};
      return [...paths, ...acted.map((field) => `spec.${field}`)]
        .filter((path) => {
          const steps: FieldPath = path
            .split('.')
            .flatMap((step) => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step]));
          return schemaAt(schema, steps) === undefined;
        })
        .map((path) => `${kind} ${path}`);
    });
    expect(wrong).to.deep.equal([]);
  });
});
