/** Settings out of FelixConfiguration: what each field makes of the rules, the node's before the cluster's. */
import { expect } from 'chai';
import { type FelixConfiguration, validate } from '../../api/index.ts';
import { type FelixSettings, readSettings } from './config.ts';

function configuration(spec: object, annotations: object = {}): FelixConfiguration {
  const read = validate({
    apiVersion: 'projectcalico.org/v3',
    kind: 'FelixConfiguration',
    metadata: { name: 'default', annotations },
    spec,
  });
  if (!read.ok || read.value.kind !== 'FelixConfiguration') throw new Error(JSON.stringify(read));
  return read.value;
}

function settings(spec: object, node: object = {}): FelixSettings {
  return readSettings(configuration(spec), configuration(node));
}

describe('settings of felix-lite', () => {
  const rows: readonly (readonly [what: string, got: (of: typeof settings) => unknown, want: unknown])[] = [
    ['prefix of what Log says', (of) => of({}).rules.logPrefix, 'calico-packet'],
    ['another one', (of) => of({ logPrefix: 'x' }).rules.logPrefix, 'x'],
    ['no limit of Log', (of) => of({}).rules.logLimit, undefined],
    [
      'limit of Log',
      (of) => of({ logActionRateLimit: '10/minute', logActionRateLimitBurst: 20 }).rules.logLimit,
      { rate: 10, per: 'minute', burst: 20 },
    ],
    [
      "the kernel's burst",
      (of) => of({ logActionRateLimit: '10/day', logActionRateLimitBurst: 0 }).rules.logLimit,
      { rate: 10, per: 'day', burst: 5 },
    ],
    ["Calico's failsafe ports", (of) => of({}).rules.failsafes.inbound[0]?.port, 22],
    ['none of them', (of) => of({ failsafeInboundHostPorts: [] }).rules.failsafes.inbound, []],
    [
      'one of them to one address',
      (of) =>
        of({
          failsafeOutboundHostPorts: [{ protocol: 'UDP', port: 53, net: '192.0.2.1' }],
        }).rules.failsafes.outbound.map(({ protocol, port, net }) => [protocol, port, net?.toString()]),
      [[17, 53, '192.0.2.1/32']],
    ],
    ['workloads to their host', (of) => of({}).rules.endpointToHost, 'Drop'],
    ['or let through', (of) => of({ defaultEndpointToHostAction: 'Return' }).rules.endpointToHost, 'Return'],
    ['the node before the cluster', (of) => of({ logPrefix: 'x' }, { logPrefix: 'y' }).rules.logPrefix, 'y'],
    ['marks', (of) => of({ iptablesMarkMask: 0xff000 }).rules.marks.accept, 0x1000],
    [
      'marks of a mask with too few bits: the default',
      (of) => of({ iptablesMarkMask: 0x3 }).rules.marks.accept,
      0x10000,
    ],
    ['the refresh of each backend', (of) => of({}).refreshMs, undefined],
    ['another refresh', (of) => of({ iptablesRefreshInterval: '3m0s' }).refreshMs, 180_000],
    ['a backend that is found out', (of) => of({}).backend, { nftables: undefined, iptables: undefined }],
    [
      'a backend that is asked for',
      (of) => of({ nftablesMode: 'Disabled', iptablesBackend: 'Legacy' }).backend,
      { nftables: false, iptables: 'legacy' },
    ],
    ['size of sets', (of) => of({ maxIpsetSize: 1000 }).maxSetSize, 1000],
    ['connections that policy turns against go on', (of) => of({}).cutDenied, false],
  ];
  for (const [what, got, want] of rows) it(what, () => expect(got(settings)).to.deep.equal(want));

  it('or are cut, as the annotation says, that of the node before that of the cluster', () => {
    const cut = configuration({}, { 'felix.poplin.dev/denied-connections': 'Cut' });
    const keep = configuration({}, { 'felix.poplin.dev/denied-connections': 'Keep' });
    expect(readSettings(cut, undefined).cutDenied).to.equal(true);
    expect(readSettings(cut, keep).cutDenied).to.equal(false);
    expect(readSettings(keep, cut).cutDenied).to.equal(true);
  });
});
