import { expect } from 'chai';
import fc from 'fast-check';
import {
  effectiveTypes,
  parseDuration,
  parsePort,
  podInterfaceName,
  protocolNumber,
  wepName,
} from '../index.ts';
import { duration } from './duration.ts';
import { parsePeerAddress } from './network.ts';
import { formatPath, parsePath, valueAt } from './path.ts';
import { nearest } from './suggest.ts';

describe('field paths', () => {
  const cases = [
    { path: ['spec', 'ingress', 0, 'source', 'nets', 1], text: 'spec.ingress[0].source.nets[1]' },
    {
      path: ['metadata', 'labels', 'projectcalico.org/tier'],
      text: 'metadata.labels["projectcalico.org/tier"]',
    },
    { path: [3, 'kind'], text: '[3].kind' },
    { path: ['a"b\\', ''], text: '["a\\"b\\\\"][""]' },
    { path: [], text: '' },
  ];
  for (const { path, text } of cases) it(text || 'the whole', () => expect(formatPath(path)).to.equal(text));

  it('read back as they were', () => {
    const step = fc.oneof(fc.string(), fc.nat(), fc.constantFrom('spec', 'x-y', 'a.b/c', '0', '__proto__'));
    fc.assert(
      fc.property(fc.array(step), (path) => {
        expect(parsePath(formatPath(path))).to.deep.equal(path);
      }),
    );
  });

  it('are none when torn', () => {
    for (const text of ['a.', 'a[', 'a[x]', 'a..b', '["a]']) expect(parsePath(text)).to.equal(undefined);
  });

  it('find own values only', () => {
    expect(valueAt({ a: [{ b: 1 }] }, ['a', 0, 'b'])).to.equal(1);
    expect(valueAt({ a: 1 }, ['toString'])).to.equal(undefined);
    expect(valueAt('text', ['length'])).to.equal(undefined);
  });
});

describe('suggestions', () => {
  const known = ['selector', 'namespaceSelector', 'ingress', 'egress', 'types', 'order'];
  const cases = [
    { word: 'selecter', want: 'selector' },
    { word: 'Selector', want: 'selector' },
    { word: 'ingres', want: 'ingress' },
    { word: 'ordre', want: 'order' },
    { word: 'colour', want: undefined },
    { word: 'x', want: undefined },
    { word: '', want: undefined },
  ];
  for (const { word, want } of cases)
    it(`${word || 'nothing'}: ${want}`, () => expect(nearest(word, known)).to.equal(want));

  it('find a word after one slip of the hand', () => {
    const slip = fc.tuple(
      fc.constantFrom(...known),
      fc.nat(),
      fc.constantFrom('insert', 'delete', 'replace', 'swap'),
    );
    fc.assert(
      fc.property(slip, ([word, seed, how]) => {
        const at = seed % (word.length - 1);
        const [head, a, b, tail] = [
          word.slice(0, at),
          word.charAt(at),
          word.charAt(at + 1),
          word.slice(at + 2),
        ];
        const slipped = {
          insert: `${head}${a}#${b}${tail}`,
          delete: head + b + tail,
          replace: `${head}#${b}${tail}`,
          swap: head + b + a + tail,
        }[how];
        fc.pre(!known.includes(slipped ?? ''));
        // One deletion turns ingress into a near twin of egress; either is a fair guess then.
        expect(nearest(slipped ?? '', known)).to.be.oneOf(
          word === 'ingress' || word === 'egress' ? ['ingress', 'egress'] : [word],
        );
      }),
    );
  });
});

describe('durations', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['0', 0],
    ['90s', 90_000],
    ['2m0s', 120_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['150ms', 150],
    ['10us', 0.01],
    ['', undefined],
    ['90', undefined],
    ['-1s', undefined],
    ['1 s', undefined],
    ['s', undefined],
    ['1d', undefined],
    ['.s', undefined],
  ];
  for (const [text, want] of cases)
    it(`${JSON.stringify(text)} is ${want} ms`, () => expect(parseDuration(text)).to.equal(want));

  const written = {
    '0': '0s',
    '90s': '1m30s',
    '2m': '2m0s',
    '1h': '1h0m0s',
    '36h0m0.25s': '36h0m0.25s',
    '1500ms': '1.5s',
    '0.5ms': '500µs',
    '1us': '1µs',
    '3ns': '3ns',
    '150ms': '150ms',
  };
  for (const [text, want] of Object.entries(written)) {
    it(`${text} is stored as Go writes it, ${want}, and that stays as it is`, () => {
      expect(duration().parse(text)).to.equal(want);
      expect(duration().parse(want)).to.equal(want);
    });
  }
});

describe('ports and protocols', () => {
  const cases = [
    { port: 80, want: { min: 80, max: 80 } },
    { port: '80', want: { min: 80, max: 80 } },
    { port: '8000:8010', want: { min: 8000, max: 8010 } },
    { port: 'http', want: { name: 'http' } },
    { port: 'tcp-8080', want: { name: 'tcp-8080' } },
    { port: 0, want: undefined },
    { port: 65_536, want: undefined },
    { port: '90:80', want: undefined },
    { port: '1.5', want: undefined },
    { port: '1-5', want: undefined },
    { port: '', want: undefined },
    { port: 'a b', want: undefined },
  ];
  for (const { port, want } of cases)
    it(JSON.stringify(port), () => expect(parsePort(port)).to.deep.equal(want));

  it('have the numbers of IANA', () => {
    expect(
      (['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite', 47] as const).map(protocolNumber),
    ).to.deep.equal([6, 17, 1, 58, 132, 136, 47]);
  });
});

describe('peer addresses', () => {
  const cases = [
    { text: '192.0.2.1', want: ['192.0.2.1', undefined] },
    { text: '192.0.2.1:1179', want: ['192.0.2.1', 1179] },
    { text: '2001:db8::1', want: ['2001:db8::1', undefined] },
    { text: '[2001:db8::1]:179', want: ['2001:db8::1', 179] },
    { text: '[2001:db8::1]', want: undefined },
    { text: '[192.0.2.1]:179', want: undefined },
    { text: '192.0.2.1:0', want: undefined },
    { text: '192.0.2.1:', want: undefined },
  ];
  for (const { text, want } of cases) {
    it(text, () => {
      const peer = parsePeerAddress(text);
      expect(peer && [peer.address.toString(), peer.port]).to.deep.equal(want);
    });
  }
});

describe('names of workloads', () => {
  const cases = [
    {
      it: 'Kubernetes',
      of: { node: 'worker-1', orchestrator: 'k8s', pod: 'web-0', endpoint: 'eth0' },
      want: 'worker--1-k8s-web--0-eth0',
    },
    {
      it: 'plain CNI',
      of: { node: 'n1', orchestrator: 'cni', containerID: '4f1c', endpoint: 'eth0' },
      want: 'n1-cni-4f1c-eth0',
    },
    {
      it: 'libnetwork',
      of: { node: 'n1', orchestrator: 'libnetwork', endpoint: 'e' },
      want: 'n1-libnetwork-e',
    },
    {
      it: 'others',
      of: { node: 'n1', orchestrator: 'nova', workload: 'vm', endpoint: 'e' },
      want: 'n1-nova-vm-e',
    },
    { it: 'a part missing', of: { node: 'n1', orchestrator: 'k8s', endpoint: 'eth0' }, want: undefined },
    {
      it: 'a part that begins with a dash',
      of: { node: '-n', orchestrator: 'k8s', pod: 'p', endpoint: 'e' },
      want: undefined,
    },
  ];
  for (const row of cases) it(row.it, () => expect(wepName(row.of)).to.equal(row.want));

  it('never meet: two identities have two names', () => {
    const part = fc.stringMatching(/^[a-z0-9](-{0,3}[a-z0-9]){0,3}$/);
    const identity = fc
      .record({ node: part, pod: part, endpoint: part })
      .map((parts) => ({ ...parts, orchestrator: 'k8s' }));
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const same = a.node === b.node && a.pod === b.pod && a.endpoint === b.endpoint;
        expect(wepName(a) === wepName(b)).to.equal(same);
      }),
      { numRuns: 1000 },
    );
  });

  it('give interfaces that Calico gives', () =>
    expect(podInterfaceName('default', 'web-0')).to.equal('cali0d7763386da'));
});

describe('effectiveTypes', () => {
  const cases = [
    { it: 'no rules', spec: {}, want: { ingress: true, egress: false } },
    { it: 'ingress rules', spec: { ingress: [{}] }, want: { ingress: true, egress: false } },
    { it: 'egress rules', spec: { egress: [{}] }, want: { ingress: false, egress: true } },
    { it: 'both', spec: { ingress: [{}], egress: [{}] }, want: { ingress: true, egress: true } },
    {
      it: 'types given',
      spec: { types: ['Egress' as const], ingress: [{}] },
      want: { ingress: false, egress: true },
    },
    { it: 'types empty', spec: { types: [], egress: [{}] }, want: { ingress: false, egress: true } },
  ];
  for (const row of cases) it(row.it, () => expect(effectiveTypes(row.spec)).to.deep.equal(row.want));
});
