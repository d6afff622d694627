/** Many routes on the real kernel, whose answer can be had before the event loop tells. */
import { expect } from 'chai';
import { Address, Prefix } from '../../addr/index.ts';
import { describeOnKernel, freshNamespace, textLines } from '../testing.ts';
import { Netlink } from './netlink.ts';
import { makeRoute } from './route.ts';
import { RouteBatch, RouteTemplate } from './route-batch.ts';
import type { RouteFailures, RouteSending } from './route-writer.ts';

const MANY = 500;
const PATIENCE_MS = 60_000;

function prefixOf(i: number): Prefix {
  return Prefix.of(Address.v4(0x1400_0000 + i * 256), 24);
}

const { destination: _, ...blackhole } = makeRoute({
  destination: prefixOf(0),
  protocol: 80,
  type: 'blackhole',
});
const ADD = new RouteTemplate('add', 4, blackhole, Number);

function batchOf(...places: readonly number[]): RouteBatch {
  const batch = new RouteBatch();
  for (const i of places) batch.add(ADD, prefixOf(i));
  return batch;
}

const inWords = (index: number): string => `change ${index}`;

/** Without leaving this turn of the event loop. */
function pollUntilThere<Failure>(sending: RouteSending<Failure>): RouteFailures<Failure> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const failures = sending.poll();
    if (failures !== undefined) return failures;
    if (performance.now() > end) throw new Error('the kernel has not answered');
  }
}

describeOnKernel('route writer', () => {
  const here = freshNamespace();
  let kernel: Netlink;
  beforeEach(() => (kernel = Netlink.open({ netns: here.path() })));
  afterEach(() => kernel.close());

  const all = Array.from({ length: MANY }, (_, i) => i);

  it('shows the answer before the event loop does, and says the same to both', async function () {
    this.timeout(PATIENCE_MS * 2);
    const batch = batchOf(...all, 7, MANY);
    const sending = kernel.sendRoutes(batch, inWords);
    const seen = pollUntilThere(sending);
    // The batch is for others from here on.
    batch.clear();
    const next = kernel.sendRoutes(batchOf(MANY + 1), inWords);
    expect([...seen.entries()].map(([index, { code }]) => [index, code])).to.deep.equal([[MANY, 'EEXIST']]);
    expect(await sending.outcome).to.equal(seen);
    expect([...(await next.outcome)]).to.deep.equal([]);
    expect(textLines(await here.ip('-4', 'route', 'show', 'proto', '80'))).to.have.lengthOf(MANY + 2);
  });

  it('has one batch under way, and answers it when it is closed meanwhile', async function () {
    this.timeout(PATIENCE_MS * 2);
    const sending = kernel.sendRoutes(batchOf(...all), inWords);
    expect(() => kernel.sendRoutes(batchOf(MANY), inWords)).to.throw('under way');
    kernel.close();
    expect((await sending.outcome).size).to.equal(0);
    expect(() => kernel.sendRoutes(batchOf(MANY), inWords)).to.throw('closed');
  });

  it('has nothing to say of no changes', async () => {
    const sending = kernel.sendRoutes(new RouteBatch(), inWords);
    expect([sending.poll()?.size, (await sending.outcome).size]).to.deep.equal([0, 0]);
  });
});
