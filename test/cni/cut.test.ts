/**
 * An agent that dies between any two steps. Each step that leaves the process (store, kernel) is counted; a life ends before
 * the n-th, and nothing more of it happens, not even its undoing. The next life sweeps, and the runtime asks again.
 */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { PendingDeletions } from '../../cni-plugin/pending.ts';
import type { CniResponse } from '../../cni-plugin/protocol.ts';
import { silent } from '../../daemon/log.ts';
import { ResourceClient, type Store } from '../../datastore/index.ts';
import { temporaryStore } from '../../datastore/testing.ts';
import { Ipam } from '../../ipam/index.ts';
import { TrafficControl } from '../../net/kernel/index.ts';
import { describeOnKernel, freshNamespace } from '../../net/kernel/testing.ts';
import { EndpointStatusFolder } from '../../node/cni/endpoint-status.ts';
import { UplinkMtu } from '../../node/cni/mtu.ts';
import type { CniPorts } from '../../node/cni/ports.ts';
import { CniServer } from '../../node/cni/server.ts';
import { Shaper } from '../../node/cni/shaper.ts';
import { closeHost, type Host, openHost } from '../../node/cni/wiring.ts';
import { Inventory } from '../../node/inventory.ts';
import { NODE, POOLS } from './runtime.ts';

const clock = new SystemClock();

describeOnKernel('CNI: an agent that dies between two steps', function () {
  this.timeout(120_000);
  const hostSpace = freshNamespace();
  const podSpace = freshNamespace();
  let store: Store;
  let inventory: Inventory;
  let host: Host;
  let control: TrafficControl;
  let runDir: string;

  beforeEach(async () => {
    runDir = mkdtempSync(join(tmpdir(), 'poplin-cut-'));
    store = await temporaryStore();
    const client = new ResourceClient(store, clock);
    for (const resource of [NODE, ...POOLS]) unwrap(await client.apply(resource));
    inventory = new Inventory('n1', store, clock, silent);
    await inventory.start();
    host = openHost(hostSpace.path());
    control = new TrafficControl(hostSpace.path());
  });
  afterEach(async () => {
    await inventory.stop();
    closeHost(host);
    control.close();
    rmSync(runDir, { recursive: true, force: true });
  });

  /** An agent that has so many steps to live. */
  function agent(life: Life): { readonly server: CniServer; readonly ports: CniPorts } {
    const ownStore = mortal(store, life);
    const ports: CniPorts = {
      node: 'n1',
      client: new ResourceClient(ownStore, clock),
      ipam: new Ipam(ownStore, clock, Math.random),
      inventory,
      host: {
        netlink: mortal(host.netlink, life),
        remover: mortal(host.remover, life),
        shaper: new Shaper(mortal(host.netlink, life), mortal(control, life)),
        netns: host.netns,
      },
      mtu: new UplinkMtu(host.netlink, clock),
      status: new EndpointStatusFolder(runDir, clock),
      clock,
      log: silent,
      policyWait: 0,
    };
    const server = new CniServer({
      clock,
      ports: () => ports,
      pending: new PendingDeletions(runDir),
      unreadiness: () => Promise.resolve([]),
    });
    return { server, ports };
  }

  const ask = (server: CniServer, command: string, extra: object = {}): Promise<CniResponse> =>
    server.handle({
      command,
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: podSpace.path(),
        CNI_IFNAME: 'eth0',
        CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
      },
      stdin: JSON.stringify({ cniVersion: '1.1.0', name: 'net', ...extra }),
    });

  const expectNothingLeft = async (at: string): Promise<void> => {
    const { ports } = agent(new Life());
    expect(unwrap(await ports.client.list('WorkloadEndpoint')), at).to.deep.equal([]);
    expect(
      (await ports.ipam.blocks()).flatMap(({ allocations }) => allocations),
      at,
    ).to.deep.equal([]);
    const names = (await host.netlink.listLinks()).map(({ name }) => name);
    expect(
      names.filter((name) => /^(?:bw)?cali/.test(name)),
      at,
    ).to.deep.equal([]);
    expect(await podSpace.ip('-br', 'link'), at).not.to.contain('eth0');
  };

  /** What the next agent does before it serves, and what a runtime does with an ADD that got no answer. */
  const recover = async (): Promise<void> => {
    const { server, ports } = agent(new Life());
    await server.drain(ports);
    await server.sweep(ports);
    expect((await ask(server, 'DEL')).exitCode).to.equal(0);
  };

  /** @returns how many lives it took until one was long enough */
  async function everyCut(command: string, extra: object, prepare: boolean): Promise<number> {
    for (let steps = 0; ; steps++) {
      if (prepare) expect((await ask(agent(new Life()).server, 'ADD')).exitCode).to.equal(0);
      const life = new Life(steps);
      await ask(agent(life).server, command, extra);
      await recover();
      await expectNothingLeft(`${command} cut before step ${steps + 1}`);
      if (!life.isOver) return steps;
    }
  }

  it('leaves nothing of an ADD, wherever it was cut', async () => {
    expect(await everyCut('ADD', {}, false)).to.be.greaterThan(8);
  });

  it('leaves nothing of an ADD with limits, wherever it was cut', async () => {
    const bandwidth = { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 };
    expect(await everyCut('ADD', { runtimeConfig: { bandwidth } }, false)).to.be.greaterThan(14);
  });

  it('leaves nothing of a DEL, wherever it was cut', async () => {
    expect(await everyCut('DEL', {}, true)).to.be.greaterThan(5);
  });

  it('leaves nothing of a GC, wherever it was cut', async () => {
    expect(await everyCut('GC', { 'cni.dev/valid-attachments': [] }, true)).to.be.greaterThan(5);
  });

  it('gives a pod its network again after any cut, with the sweep in between or without', async () => {
    for (let steps = 1; steps < 12; steps += 3) {
      await ask(agent(new Life(steps)).server, 'ADD');
      const { server, ports } = agent(new Life());
      if (steps % 2 === 0) await server.sweep(ports);
      // A cable that was made already is in the way, and the runtime's DEL takes it out.
      if ((await podSpace.ip('-br', 'link')).includes('eth0')) await ask(server, 'DEL');
      expect((await ask(server, 'ADD')).output, `cut before step ${steps + 1}`).to.have.property('ips');
      await recover();
      await expectNothingLeft(`after a second ADD, cut before step ${steps + 1}`);
    }
  });
});

class Life {
  #left: number;
  isOver = false;

  constructor(steps = Number.POSITIVE_INFINITY) {
    this.#left = steps;
  }

  step(): void {
    if (this.#left-- > 0) return;
    this.isOver = true;
    throw new Error('this agent is dead');
  }
}

/** The same, until its owner's life is over. */
function mortal<T extends object>(object: T, life: Life): T {
  return new Proxy(object, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        life.step();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}
