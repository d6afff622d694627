import { expect } from 'chai';
import fc from 'fast-check';
import { KINDS } from '../../api/index.ts';
import type { Key } from '../store.ts';
import { foldersOf, keyAt, pathOf } from './keys.ts';

const P = '/calico/resources/v3/projectcalico.org';

describe('keys in etcd', () => {
  const cases: readonly (readonly [Key, string])[] = [
    [{ kind: 'IPPool', scope: '', name: 'lab-v4' }, `${P}/ippools/lab-v4`],
    [{ kind: 'NetworkPolicy', scope: 'prod', name: 'web-in' }, `${P}/networkpolicies/prod/web-in`],
    [
      { kind: 'WorkloadEndpoint', scope: 'prod', name: 'n--1-k8s-web--0-eth0' },
      `${P}/workloadendpoints/prod/n--1-k8s-web--0-eth0`,
    ],
    [
      { kind: 'IPAMBlock', scope: '', name: '10.244.7.64/26' },
      '/calico/ipam/v2/assignment/ipv4/block/10.244.7.64-26',
    ],
    [
      { kind: 'IPAMBlock', scope: '', name: 'fd00:10:244::40/122' },
      '/calico/ipam/v2/assignment/ipv6/block/fd00:10:244::40-122',
    ],
    [
      { kind: 'BlockAffinity', scope: 'host:w-1', name: '10.244.7.64/26' },
      '/calico/ipam/v2/host/w-1/ipv4/block/10.244.7.64-26',
    ],
    [
      { kind: 'BlockAffinity', scope: 'virtual:load-balancer', name: '10.1.0.0/26' },
      '/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.1.0.0-26',
    ],
    [
      { kind: 'IPAMHandle', scope: '', name: 'k8s-pod-network.4f1c' },
      '/calico/ipam/v2/handle/k8s-pod-network.4f1c',
    ],
    [{ kind: 'IPAMConfig', scope: '', name: 'default' }, '/calico/ipam/v2/config'],
    [{ kind: 'CalicoNodeStatus', scope: '', name: 'x' }, `${P}/caliconodestatuses/x`],
    [{ kind: 'StagedNetworkPolicy', scope: 'prod', name: 'x' }, `${P}/stagednetworkpolicies/prod/x`],
    [
      { kind: 'KubernetesNetworkPolicy', scope: 'prod', name: 'web-in' },
      '/calico/poplin/v1/KubernetesNetworkPolicy/prod/web-in',
    ],
    [{ kind: 'Namespace', scope: '', name: 'prod' }, '/calico/poplin/v1/Namespace//prod'],
  ];
  for (const [key, path] of cases) {
    it(`${key.kind} ${key.name} is at ${path}`, () => {
      expect(pathOf('/calico', key)).to.equal(path);
      expect(keyAt('/calico', path)).to.deep.equal(key);
    });
  }

  for (const path of [
    '/calico/v1/Ready',
    '/calico/ipam/v2/host/w-1',
    '/calico/felix/v2/no-region/host/w-1/status',
    `${P}/ippools`,
    `${P}/livemigrations/prod/x`,
    `${P}/services/prod/x`,
    `${P}/ippools/a/b`,
    '/calicox/ipam/v2/config',
    '/elsewhere',
  ]) {
    it(`${path} is no object of the store`, () => {
      expect(keyAt('/calico', path)).to.equal(undefined);
    });
  }

  it('refuses a key whose scope does not fit its kind', () => {
    for (const [kind, scope] of [
      ['IPPool', 'x'],
      ['NetworkPolicy', ''],
      ['BlockAffinity', 'w-1'],
    ] as const) {
      expect(() => pathOf('/calico', { kind, scope, name: 'x' })).to.throw(RangeError);
    }
  });

  it('any key comes back from its path, alone there, and inside the folders of its kind and scope', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'a', 'a/b', 'a%2fb', 'host:x', 'virtual:y/z'),
    );
    const some = text.filter((t) => t !== '');
    const none = fc.constant('');
    const key = fc.oneof(
      of('K', text, text),
      of('IPAMHandle', none, text),
      of('IPAMConfig', none, fc.constant('default')),
      of(
        'BlockAffinity',
        some.map((owner) => `host:${owner}`),
        fc.constantFrom('10.0.0.0/26', 'fd00::/122'),
      ),
      ...KINDS.map((info) => of(info.kind, info.namespaced ? some : none, text)),
    );
    fc.assert(
      fc.property(key, key, (a, b) => {
        const path = pathOf('/p', a);
        expect(keyAt('/p', path)).to.deep.equal(a);
        if (JSON.stringify(a) !== JSON.stringify(b)) expect(pathOf('/p', b)).to.not.equal(path);
        for (const selection of [{ kind: a.kind }, { kind: a.kind, scope: a.scope }]) {
          expect(foldersOf('/p', selection).some((folder) => path.startsWith(folder))).to.equal(true);
        }
      }),
    );
  });
});

function of(kind: string, scope: fc.Arbitrary<string>, name: fc.Arbitrary<string>): fc.Arbitrary<Key> {
  return fc.record({ kind: fc.constant(kind), scope, name });
}
