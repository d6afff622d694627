/**
 * A policy that is stored though it cannot be enforced (another tool wrote it) isolates only what it concerns: whom it
 * selects fails closed, all others proceed, and node status, the log and a metric say which policy and why.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { commandLine } from '../../cli/testing.ts';
import { serveControl } from '../../daemon/control.ts';
import { EmbeddedStore } from '../../datastore/embedded/embedded.ts';
import type { Store } from '../../datastore/index.ts';
import { controlRoutes } from '../../felix-lite/daemon/control.ts';
import { explain } from '../../felix-lite/daemon/explain.ts';
import { Felix } from '../../felix-lite/daemon/felix.ts';
import { exposition } from '../../daemon/metrics.ts';
import { FELIX_METRICS } from '../../felix-lite/daemon/metrics.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';

type Value = {
  readonly kind: string;
  readonly metadata: object;
  readonly apiVersion: string;
  readonly spec?: object;
};

interface Bad {
  readonly it: string;
  readonly policy: { readonly kind: string; readonly spec: object; readonly apiVersion?: string };
  /** Of `web` and `db` in namespace prod, and `far` in another. */
  readonly closes: readonly ('web' | 'db' | 'far')[];
  readonly says: RegExp;
}

const CASES: readonly Bad[] = [
  {
    it: 'a protocol that nobody knows',
    policy: {
      kind: 'NetworkPolicy',
      spec: { selector: "role == 'db'", ingress: [{ action: 'Allow', protocol: 'TPC' }] },
    },
    closes: ['db'],
    says: /spec\.ingress\[0\]\.protocol: "TPC" .*, so everything to and from what it selects is denied; /,
  },
  {
    it: 'a rule of a newer release',
    policy: {
      kind: 'NetworkPolicy',
      spec: { selector: "role == 'db'", ingress: [{ action: 'Allow', domains: ['a.example'] }] },
    },
    closes: ['db'],
    says: /spec\.ingress\[0\]\.domains/,
  },
  {
    it: 'HTTP',
    policy: {
      kind: 'NetworkPolicy',
      spec: {
        selector: "role == 'db'",
        ingress: [{ action: 'Allow', protocol: 'TCP', http: { methods: ['GET'] } }],
      },
    },
    closes: ['db'],
    says: /spec\.ingress\[0\]\.http: .*, so all ingress of what it selects is denied/,
  },
  {
    it: 'a selector that is none, in a namespace',
    policy: { kind: 'NetworkPolicy', spec: { selector: 'role = 5', ingress: [{ action: 'Allow' }] } },
    closes: ['web', 'db'],
    says: /spec\.selector: .*, so everything to and from its whole namespace is denied/,
  },
  {
    it: 'a selector that is none, of the whole cluster',
    policy: { kind: 'GlobalNetworkPolicy', spec: { selector: 7, ingress: [{ action: 'Deny' }] } },
    closes: [],
    says: /spec\.selector: .*, so it is not enforced at all/,
  },
  {
    it: 'a policy of Kubernetes with a port that is none',
    policy: {
      kind: 'NetworkPolicy',
      apiVersion: 'networking.k8s.io/v1',
      spec: { podSelector: { matchLabels: { role: 'web' } }, ingress: [{ ports: [{ port: -1 }] }] },
    },
    closes: ['web'],
    says: /spec\.ingress\[0\]\.ports\[0\]\.port/,
  },
];

const ADDRESSES = { web: '10.0.0.1', db: '10.0.0.2', far: '10.0.0.3' } as const;

describeOnKernel('a policy that cannot be enforced', function () {
  this.timeout(300_000);
  const namespace = freshNamespace();
  let folder: string;
  let store: Store;
  let felix: Felix;
  let warnings: { readonly data: object; readonly message: string }[];
  let news: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-bad-policy-'));
    store = await EmbeddedStore.open(join(folder, 'datastore.db'));
    warnings = [];
    news = [];
    await put(
      ...['prod', 'test'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      workload('web', 'prod', ADDRESSES.web),
      workload('db', 'prod', ADDRESSES.db),
      workload('far', 'test', ADDRESSES.far),
    );
    felix = new Felix({
      node: 'a1',
      store,
      runDir: folder,
      clock: new SystemClock(),
      log: {
        debug: () => undefined,
        info: (_data, message) => void news.push(message),
        warn: (data, message) => void warnings.push({ data, message }),
        error: (_data, message) => void news.push(message),
      },
      netns: namespace.path(),
    });
  });
  afterEach(async () => {
    await felix.stop();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  for (const { it: what, policy, closes, says } of CASES)
    it(`closes what it concerns and says so: ${what}`, async () => {
      const bad = {
        apiVersion: 'projectcalico.org/v3',
        ...policy,
        metadata: { name: 'bad', ...(policy.kind.startsWith('Global') ? {} : { namespace: 'prod' }) },
      };
      await put(bad);
      felix.start();
      await until(() => felix.status().ready);
      expect(felix.status().endpoints.length).to.equal(3);
      for (const [name, address] of Object.entries(ADDRESSES))
        expect(await reaches(address), name).to.equal(!closes.some((each) => each === name));
      // Policies that come later are enforced all the same.
      await put({
        apiVersion: 'projectcalico.org/v3',
        kind: 'NetworkPolicy',
        metadata: { name: 'later', namespace: 'test' },
        spec: { ingress: [{ action: 'Deny' }] },
      });
      await until(async () => !(await reaches(ADDRESSES.far)));

      const name = `${policy.apiVersion === undefined ? '' : 'Kubernetes'}${policy.kind}/${'namespace' in bad.metadata ? 'prod/' : ''}bad`;
      expect(felix.status().closed).to.deep.equal([
        {
          policy: name,
          count: closes.length,
          endpoints: closes.map((each) => `prod/a1-k8s-${each}-eth0`).sort(),
        },
      ]);
      const told = warnings.filter(({ data }) => (data as { resource?: string }).resource === name);
      expect(told.map(({ message }) => message)).to.have.length(1);
      expect(told[0]?.message).to.match(says).and.to.contain(`${name}: `);
      const metrics = [
        ...exposition(FELIX_METRICS, { status: felix.status(), counters: [], wireguard: [] }),
      ].join('');
      expect(metrics).to.contain(`poplin_felix_policy_closes_endpoints{policy="${name}"} ${closes.length}\n`);
      expect(metrics).to.match(
        new RegExp(`poplin_felix_problems\\{code="[A-Z_]+",resource="${name}",field="spec`),
      );
      const shown = await nodeStatus();
      expect(shown).to.match(says);
      expect(shown).to.contain(
        closes.length === 0
          ? 'closes no endpoint of this node'
          : `closes of this node: ${closes
              .map((each) => `prod/a1-k8s-${each}-eth0`)
              .sort()
              .join(', ')}`,
      );

      await store.commit([
        {
          type: 'delete',
          key: keyOf(bad),
          expect: 'any',
        },
      ]);
      await until(() => felix.status().problems.length === 0);
      await until(() => news.some((message) => message.startsWith('no longer so: ')));
      for (const each of ['web', 'db'] as const) await until(() => reaches(ADDRESSES[each]));
    });

  /** From somebody outside, by what the kernel holds; the model must agree. */
  async function reaches(destination: string): Promise<boolean> {
    const query = new URLSearchParams({ source: '192.0.2.7', destination, port: '80' });
    const explained = await explain(felix, query);
    const kernel = explained.ok ? explained.value.kernel : undefined;
    expect(kernel?.agrees).to.equal(true);
    return kernel?.allowed === true;
  }

  async function nodeStatus(): Promise<string> {
    const server = await serveControl(
      join(folder, 'felix.sock'),
      controlRoutes(felix, { status: () => ({}) as never, measure: () => Promise.resolve([]) }),
    );
    try {
      return (await commandLine()(`node status --run-dir ${folder}`)).out;
    } finally {
      await server.close();
    }
  }

  /** As a tool that checks nothing. */
  async function put(...values: readonly Value[]): Promise<void> {
    const committed = await store.commit(
      values.map((value) => ({
        type: 'put' as const,
        key: keyOf(value),
        value: value.apiVersion === 'networking.k8s.io/v1' ? { ...value, kind: 'NetworkPolicy' } : value,
        expect: 'any' as const,
      })),
    );
    expect(committed.ok).to.equal(true);
  }
});

function keyOf({
  kind,
  metadata,
  apiVersion,
}: {
  readonly kind: string;
  readonly metadata: object;
  readonly apiVersion: string;
}): {
  readonly kind: string;
  readonly scope: string;
  readonly name: string;
} {
  const { name, namespace = '' } = metadata as { readonly name: string; readonly namespace?: string };
  return {
    kind: apiVersion === 'networking.k8s.io/v1' ? 'KubernetesNetworkPolicy' : kind,
    scope: namespace,
    name,
  };
}

function workload(pod: string, namespace: string, address: string) {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `a1-k8s-${pod}-eth0`, namespace, labels: { role: pod } },
    spec: {
      orchestrator: 'k8s',
      node: 'a1',
      pod,
      endpoint: 'eth0',
      interfaceName: `cali${pod}`,
      ipNetworks: [`${address}/32`],
      profiles: [`kns.${namespace}`],
    },
  };
}

const PATIENCE_MS = 60_000;

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
