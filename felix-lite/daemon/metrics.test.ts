/** Metrics of felix-lite: their names, what they say, and the port that follows the configuration. */
import { expect } from 'chai';
import type { FelixConfiguration } from '../../api/index.ts';
import { silent } from '../../daemon/log.ts';
import { exposition } from '../../daemon/metrics.ts';
import { Address } from '../../net/addr/index.ts';
import { readSettings } from './config.ts';
import { MetricsPort } from './control.ts';
import type { Felix, FelixStatus } from './felix.ts';
import { FELIX_METRICS } from './metrics.ts';
import type { PolicyCounter } from './policy-counters.ts';

const STATUS: FelixStatus = {
  node: 'a1',
  synced: true,
  ready: false,
  revision: '7',
  appliedRevision: '6',
  endpoints: [{ endpoint: 'prod/web', interface: 'cali1' }],
  passes: 5,
  failures: 2,
  lastPass: { at: '2026-01-01T00:00:00.000Z', steps: 3, millis: 12 },
  lastError: 'no',
  counts: undefined,
  problems: [
    { code: 'FIELD_INVALID', resource: 'NetworkPolicy/prod/db', field: 'spec.order', what: 'x', remedy: 'y' },
  ],
  closed: [{ policy: 'NetworkPolicy/prod/db', count: 3, endpoints: [] }],
};
const COUNTER: PolicyCounter = {
  kind: 'NetworkPolicy',
  namespace: 'prod',
  name: 'db',
  tier: 'default',
  direction: 'ingress',
  rule: 'spec.ingress[0]',
  action: 'Allow',
  version: 4,
  packets: 3,
  bytes: 180,
};

const DEVICE = {
  device: 'wireguard.cali',
  publicKey: 'OWN=',
  port: 51_820,
  peers: [
    {
      publicKey: 'PEER=',
      endpoint: { address: Address.parse('fd00::2') ?? expect.fail(), port: 51_821 },
      keepalive: 0,
      allowed: [],
      handshakeAt: 1_700_000_000,
      received: 7,
      sent: 9,
    },
  ],
};

describe('metrics of felix-lite', () => {
  it('have names, labels and words as all of the house', () => {
    for (const { name, type, labels, help } of FELIX_METRICS) {
      expect(name).to.match(/^(?:poplin_felix|process|nodejs|wireguard)_[a-z_]+$/);
      // Those of WireGuard are Calico's.
      if (!name.startsWith('wireguard_')) expect(name.endsWith('_total'), name).to.equal(type === 'counter');
      for (const label of labels) expect(label).to.match(/^[a-z_]+$/);
      expect(help, name).not.to.match(/\.$/);
    }
  });

  it('say how policy is', () => {
    const text = [
      ...exposition(FELIX_METRICS, { status: STATUS, counters: [COUNTER], wireguard: [DEVICE] }),
    ].join('');
    for (const line of [
      'wireguard_meta{hostname="a1",public_key="OWN=",iface="wireguard.cali",listen_port="51820"} 1',
      'wireguard_bytes_sent{hostname="a1",public_key="OWN=",peer_key="PEER=",peer_endpoint="[fd00::2]:51821"} 9',
      'wireguard_bytes_rcvd{hostname="a1",public_key="OWN=",peer_key="PEER=",peer_endpoint="[fd00::2]:51821"} 7',
      'wireguard_latest_handshake_seconds{hostname="a1",public_key="OWN=",peer_key="PEER=",peer_endpoint="[fd00::2]:51821"} 1700000000',
      'poplin_felix_ready 0',
      'poplin_felix_failures_total 2',
      'poplin_felix_last_pass_seconds 0.012',
      'poplin_felix_policy_closes_endpoints{policy="NetworkPolicy/prod/db"} 3',
      'poplin_felix_problems{code="FIELD_INVALID",resource="NetworkPolicy/prod/db",field="spec.order"} 1',
      'poplin_felix_policy_bytes_total{kind="NetworkPolicy",namespace="prod",name="db",tier="default",direction="ingress",rule="spec.ingress[0]",action="Allow",ip_version="4"} 180',
    ])
      expect(text).to.contain(`${line}\n`);
  });

  const cases = [
    { it: 'nowhere unless asked', spec: {}, want: undefined },
    { it: "on Calico's port", spec: { prometheusMetricsEnabled: true }, want: { address: '', port: 9091 } },
    {
      it: 'where it says',
      spec: {
        prometheusMetricsEnabled: true,
        prometheusMetricsHost: '127.0.0.1',
        prometheusMetricsPort: 9999,
      },
      want: { address: '127.0.0.1', port: 9999 },
    },
    {
      it: 'nowhere in plain where they are to be encrypted',
      spec: {
        prometheusMetricsEnabled: true,
        prometheusMetricsCertFile: '/x',
        prometheusMetricsKeyFile: '/y',
      },
      want: undefined,
    },
  ];
  for (const each of cases)
    it(`are served ${each.it} by the configuration`, () =>
      expect(endpointFor(each.spec)).to.deep.equal(each.want));

  it('are read on a port that opens, moves and closes', async () => {
    const ports: number[] = [];
    const log = { ...silent, info: (data: object) => void ports.push((data as { port: number }).port) };
    const felix = { status: () => STATUS, counters: () => Promise.resolve([COUNTER]) };
    const port = new MetricsPort(felix as unknown as Felix, { measure: () => Promise.resolve([]) }, log);
    const opened = async (count: number): Promise<number> => {
      while (ports.length < count) await new Promise((resolve) => setImmediate(resolve));
      return ports.at(-1) ?? 0;
    };
    port.follow({ address: '127.0.0.1', port: 0 });
    const first = await opened(1);
    port.follow({ address: '127.0.0.1', port: 0 });
    expect(await read(first)).to.contain('poplin_felix_synced 1\n');
    // Another address: as where the configuration changes.
    port.follow({ address: '', port: 0 });
    const second = await opened(2);
    expect(await read(second)).to.contain('poplin_felix_synced 1\n');
    await port.close();
    expect(ports).to.have.length(2);
    const gone = await fetch(`http://127.0.0.1:${second}/metrics`).catch(() => undefined);
    expect(gone).to.equal(undefined);
  });
});

function endpointFor(spec: FelixConfiguration['spec']) {
  const metadata = { name: 'default' };
  const configuration = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'FelixConfiguration',
    metadata,
    spec,
  } as const;
  return readSettings(configuration, undefined).metrics;
}

async function read(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}
