/** When news go out: one change among few peers at once, and in the next turn where there are many to tell. */
import { expect } from 'chai';
import { Prefix } from '../../net/addr/index.ts';
import type { UpdateMessage } from '../wire/types.ts';
import { configOf, peerOf, World, type Router } from './testing/world.ts';

const TOLD = '10.1.0.0/24';

/** A hub and so many others, of which the first tells the others a route through it. */
function hubOf(others: number): { world: World; hub: Router; first: string; last: string } {
  const world = new World();
  const hub = world.router('hub', 65000, '10.0.0.1');
  const around = Array.from({ length: others }, (_, i) =>
    world.router(`r${i}`, 65001 + i, `10.0.1.${i + 1}`),
  );
  hub.speaker.configure(
    configOf(
      hub,
      around.map((router) => peerOf(hub, router)),
    ),
  );
  for (const [i, router] of around.entries()) {
    router.speaker.configure(configOf(router, [peerOf(router, hub)], i === 0 ? [TOLD] : []));
    world.connect(hub, router);
  }
  world.settle();
  return { world, hub, first: 'r0', last: `r${others - 1}` };
}

/** What the last has been sent when the first takes its route back, and has nothing more to say. */
function sentAtOnce({ hub, first, last }: ReturnType<typeof hubOf>): number {
  const { counters } = hub.sessions.get(last);
  const before = counters.updatesOut;
  const session = hub.sessions.get(first);
  const prefix = Prefix.parse(TOLD) as Prefix;
  const update: UpdateMessage = {
    type: 'update',
    unreach: [{ family: 'ipv4-unicast', nlri: [{ prefix }] }],
    reach: [],
    attributes: undefined,
  };
  session.events.update(session, update);
  expect(counters.updatesOut, 'nothing while the first may go on').to.equal(before);
  session.events.lull?.(session);
  return counters.updatesOut - before;
}

describe('a speaker that has heard one change', () => {
  it('tells few peers of it at once', () => {
    expect(sentAtOnce(hubOf(3))).to.equal(1);
  });

  it('gathers what it tells to many', () => {
    const many = hubOf(20);
    expect(sentAtOnce(many)).to.equal(0);
    const { updatesOut } = many.hub.sessions.get(many.last).counters;
    many.world.settle();
    expect(many.hub.sessions.get(many.last).counters.updatesOut).to.equal(updatesOut + 1);
  });

  it('does nothing where it has heard nothing', () => {
    const { hub, first, last } = hubOf(3);
    const { updatesOut } = hub.sessions.get(last).counters;
    const session = hub.sessions.get(first);
    session.events.lull?.(session);
    expect(hub.sessions.get(last).counters.updatesOut).to.equal(updatesOut);
  });
});
