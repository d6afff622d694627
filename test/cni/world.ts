/** A host, two containers and an agent for the tests of this folder, with what they ask of them. */
import { expect } from 'chai';
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
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

/** Called in the body of a suite: every test of it gets a fresh world. The agent is told not to wait for felix-lite: none runs. */
export class CniWorld {
  readonly host = freshNamespace();
  readonly pod = freshNamespace();
  readonly other = freshNamespace();
  #node: TestNode | undefined;

  constructor() {
    beforeEach(async () => {
      const node = new TestNode(this.host.path());
      this.#node = node;
      await node.apply(NODE, ...POOLS);
      await this.host.ip('link', 'set', 'lo', 'up');
      await this.host.ip('address', 'add', '192.0.2.1/32', 'dev', 'lo');
      await this.host.ip('address', 'add', '2001:db8::1/128', 'dev', 'lo', 'nodad');
      await node.start();
    });
    afterEach(() => this.#node?.remove());
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
