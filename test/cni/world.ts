/** A host, two containers and an agent for the tests of this folder, with what they ask of them. */
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { createNamespace, deleteNamespace, namespacePath, run } from '../../net/kernel/index.ts';
import { freshNamespace } from '../../net/kernel/testing.ts';
import { type Call, NODE, POOLS, TestNode } from './runtime.ts';

/** The part of a CNI result that tests look at. */
export interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly interface: number }[];
}

export interface Refusal {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** Container ids as runtimes draw them. */
export const A = '4f1c'.padEnd(64, '0');
export const B = '5e2d'.padEnd(64, '0');

let count = 0;

/** A namespace that lives as long as its owner wants. */
class Space {
  #name = '';

  create(): void {
    this.#name = `poplin-cni-${process.pid}-${++count}`;
    createNamespace(this.#name);
  }

  remove(): void {
    if (this.#name !== '') deleteNamespace(this.#name);
    this.#name = '';
  }

  path(): string {
    return namespacePath(this.#name);
  }

  async ip(...args: readonly string[]): Promise<string> {
    return (await run('ip', args, { netns: this.path() })).stdout;
  }
}

/**
 * Called in the body of a suite. Containers are fresh for every test. Host and agent are so, too, unless the test before left
 * them as it found them, once GC has been called: to start an agent takes longer than most tests. It is told not to wait for
 * felix-lite, as none runs.
 */
export class CniWorld {
  readonly host = new Space();
  readonly pod = freshNamespace();
  readonly other = freshNamespace();
  #node: TestNode | undefined;

  constructor() {
    beforeEach(async () => {
      if (this.#node !== undefined) return;
      this.host.create();
      const node = new TestNode(this.host.path());
      this.#node = node;
      await node.apply(NODE, ...POOLS);
      await this.host.ip('link', 'set', 'lo', 'up');
      await this.host.ip('address', 'add', '192.0.2.1/32', 'dev', 'lo');
      await this.host.ip('address', 'add', '2001:db8::1/128', 'dev', 'lo', 'nodad');
      await node.start();
    });
    const keep = async (): Promise<void> => {
      if (!(await this.#isReusable())) await this.#end();
    };
    const end = (): Promise<void> => this.#end();
    afterEach(function (this: Mocha.Context) {
      return this.currentTest?.state === 'passed' ? keep() : end();
    });
    after(end);
  }

  async #end(): Promise<void> {
    await this.#node?.remove();
    this.#node = undefined;
    this.host.remove();
  }

  /** Whether the host looks as at first again. */
  async #isReusable(): Promise<boolean> {
    if (!this.node.isRunning) return false;
    const networks = (await this.endpoints()).map(
      ({ metadata }) => metadata.annotations?.['cni.poplin.dev/network'],
    );
    const everything = { 'cni.dev/valid-attachments': [] };
    for (const name of new Set([...networks, 'net']))
      await this.node.call({ command: 'GC', conf: this.node.conf({ ...everything, name }) });
    await this.node.reset();
    const links = (await this.host.ip('-br', 'link')).trim().split('\n');
    return links.length === 1 && (await this.node.call({ command: 'STATUS' })).exitCode === 0;
  }

  get node(): TestNode {
    if (this.#node === undefined) throw new Error('no test runs');
    return this.#node;
  }

  /** An ADD of the pod shop/web-0, or what `extra` makes of it. */
  attach(extra: Partial<Call> = {}): Call {
    return {
      command: 'ADD',
      containerId: A,
      netns: this.pod.path(),
      ifName: 'eth0',
      args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
      ...extra,
    };
  }

  async add(extra: Partial<Call> = {}): Promise<Result> {
    const answer = await this.node.call(this.attach(extra));
    if (answer.exitCode !== 0) throw new Error(answer.stdout);
    return answer.output as unknown as Result;
  }

  async refused(call: Call): Promise<Refusal> {
    const answer = await this.node.call(call);
    expect(answer.exitCode, answer.stdout).not.to.equal(0);
    return answer.output as unknown as Refusal;
  }

  /** Until STATUS is (without words: succeeds) or says so; the agent hears of changes in its own time. */
  async untilStatus(words?: string): Promise<Refusal | undefined> {
    for (let tries = 0; tries < 600; tries++) {
      const { exitCode, stdout, output } = await this.node.call({ command: 'STATUS' });
      const isSo = words === undefined ? exitCode === 0 : exitCode !== 0 && stdout.includes(words);
      if (isSo) return output as unknown as Refusal | undefined;
      await sleep(100);
    }
    throw new Error(`STATUS does not say ${words ?? 'that all is well'}`);
  }

  async endpoints(): Promise<WorkloadEndpoint[]> {
    return unwrap(await (await this.node.open()).client.list('WorkloadEndpoint'));
  }

  async addressesHeld(): Promise<string[]> {
    const blocks = await (await this.node.open()).ipam.blocks();
    return blocks.flatMap(({ allocations }) => allocations.map(({ address }) => address.toString()));
  }

  async cables(): Promise<string[]> {
    return (await this.host.ip('-br', 'link', 'show', 'type', 'veth')).match(/^cali[0-9a-f]+/gm) ?? [];
  }

  async expectNothingLeft(): Promise<void> {
    expect(await this.endpoints()).to.deep.equal([]);
    expect(await this.addressesHeld()).to.deep.equal([]);
    expect(await this.cables()).to.deep.equal([]);
  }
}
