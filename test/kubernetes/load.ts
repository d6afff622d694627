/**
 * What it costs to follow a large cluster: pods on a real kube-apiserver, and a process beside it with the mirrors of
 * felix-lite (`load-follower.ts`). `npm run soak -- kubernetes [--pods N]`.
 */
import { spawn } from 'node:child_process';
import { request } from 'node:https';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findKubeApiserver } from './binary.ts';
import { KubeServer, tokenOf } from './server.ts';

const NODES = 100;
const AT_ONCE = 24;
const CHANGES = 2000;

/** What the follower says of itself. */
export interface Figures {
  /** Seconds until the mirrors knew the world. */
  readonly synced: number;
  readonly cpu: number;
  /** Megabytes, after a collection of garbage. */
  readonly heap: number;
  readonly rss: number;
  readonly entries: number;
}

export async function kubernetesLoad(pods: number): Promise<number> {
  const found = findKubeApiserver();
  if ('missing' in found) {
    process.stdout.write(`SKIPPED: ${found.missing}\n`);
    return 0;
  }
  const server = new KubeServer(found.binary);
  await server.start();
  try {
    const making = performance.now();
    await fill(server, pods);
    process.stdout.write(`${pods} pods made in ${secondsSince(making)} s\n`);
    await follow(server, pods);
    return 0;
  } finally {
    await server.remove();
  }
}

async function follow(server: KubeServer, pods: number): Promise<void> {
  const follower = spawn(
    process.execPath,
    ['--expose-gc', join(import.meta.dirname, 'load-follower.ts'), server.location('poplin-node')],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Figures> => JSON.parse((await lines.next()).value ?? '{}') as Figures;
  const start = await next();
  tell('at the start', start, pods);
  const began = performance.now();
  await inTurn(CHANGES, async (i) => label(server, i % pods, i));
  const took = (performance.now() - began) / 1000;
  follower.stdin.write('\n');
  const then = await next();
  const each = ((then.cpu - start.cpu) / CHANGES) * 1e6;
  process.stdout.write(
    `${CHANGES} changes of pods in ${took.toFixed(1)} s: ${each.toFixed(0)} µs of a processor each\n`,
  );
  tell('after them', then, pods);
  follower.stdin.end();
  await new Promise((resolve) => follower.once('exit', resolve));
}

function tell(when: string, { synced, cpu, heap, rss, entries }: Figures, pods: number): void {
  const times = 150_000 / pods;
  process.stdout.write(
    `${when}: ${entries} entries, known after ${synced.toFixed(1)} s, ${cpu.toFixed(1)} s of a processor, heap ${heap.toFixed(0)} MB, resident ${rss.toFixed(0)} MB; in proportion for 150,000 pods: ${(cpu * times).toFixed(0)} s, heap ${(heap * times).toFixed(0)} MB\n`,
  );
}

/** Pods as a cluster has them: labels, a container or two, conditions, what the kubelet says. */
async function fill(server: KubeServer, pods: number): Promise<void> {
  await send(server, 'POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'load' },
  });
  await inTurn(NODES, async (i) =>
    send(server, 'POST', '/api/v1/nodes', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${i}` },
    }),
  );
  await inTurn(pods, async (i) => {
    const path = '/api/v1/namespaces/load/pods';
    await send(server, 'POST', path, podOf(i));
    await send(server, 'PATCH', `${path}/${nameOf(i)}/status`, statusOf(i), 'application/merge-patch+json');
  });
}

const nameOf = (i: number): string => `web-${i % 200}-7c9d8b6f5-${i.toString(36).padStart(5, '0')}`;

function podOf(i: number): object {
  const app = `web-${i % 200}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: nameOf(i),
      labels: { app, 'app.kubernetes.io/name': app, tier: `t${i % 5}`, 'pod-template-hash': '7c9d8b6f5' },
      annotations: { 'prometheus.io/scrape': 'true', 'kubernetes.io/config.source': 'api' },
    },
    spec: {
      nodeName: `node-${i % NODES}`,
      containers: ['main', 'sidecar'].map((name) => ({
        name,
        image: `registry.example/${app}/${name}:1.2.3`,
        ports: [{ name: `${name.slice(0, 4)}-http`, containerPort: 8080 }],
        env: Array.from({ length: 8 }, (_, n) => ({ name: `SETTING_${n}`, value: `value-of-${app}-${n}` })),
        resources: { requests: { cpu: '100m', memory: '128Mi' } },
        readinessProbe: { httpGet: { path: '/healthz', port: 8080 } },
      })),
    },
  };
}

function statusOf(i: number): object {
  const ip = `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  const at = '2026-08-01T10:00:00Z';
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: at,
  }));
  return { status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], startTime: at, conditions } };
}

async function label(server: KubeServer, i: number, value: number): Promise<void> {
  const path = `/api/v1/namespaces/load/pods/${nameOf(i)}`;
  const patch = { metadata: { labels: { changed: `v${value}` } } };
  await send(server, 'PATCH', path, patch, 'application/merge-patch+json');
}

async function inTurn(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

async function send(
  server: KubeServer,
  method: string,
  path: string,
  body: object,
  type = 'application/json',
): Promise<void> {
  const text = JSON.stringify(body);
  await new Promise<void>((resolve, reject) => {
    const headers = { authorization: `Bearer ${tokenOf('admin')}`, 'content-type': type };
    const options = { host: '127.0.0.1', port: server.port, path, method, headers, agent };
    const asked = request({ ...options, rejectUnauthorized: false }, (response) => {
      let answer = '';
      response.on('data', (chunk) => (answer += String(chunk)));
      response.on('end', () =>
        (response.statusCode ?? 0) < 300
          ? resolve()
          : reject(new Error(`${method} ${path}: ${response.statusCode} ${answer.slice(0, 300)}`)),
      );
    });
    asked.on('error', reject);
    asked.end(text);
  });
}

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}
