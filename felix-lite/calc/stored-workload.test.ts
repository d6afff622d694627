/** The short way never takes what the schema refuses, nor reads anything in another way. */
import { expect } from 'chai';
import fc from 'fast-check';
import { validate } from '../../api/index.ts';
import { commonWorkload } from './stored-workload.ts';
import { oddities, paths, put } from './testing.ts';

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
