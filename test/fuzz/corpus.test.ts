/** Every row of the corpus, against the decoder and against a whole speaker with other peers. */
import { expect } from 'chai';
import { decodeMessage, outcomeOf } from '../../bgpd/wire/index.ts';
import { Arena, FAMILY_NAMES, negotiated, HOSTILE, type Kind } from './arena.ts';
import { STANDING, messagesOf, readCorpus, standing, type Row } from './corpus.ts';
import { encodeKeepalive, encodeOpen } from '../../bgpd/wire/index.ts';

describe('messages that have hurt BGP speakers', () => {
  const arenas = new Map<Kind, Arena>();

  function arenaOf(kind: Kind): Arena {
    const arena = arenas.get(kind) ?? new Arena(kind);
    arenas.set(kind, arena);
    return arena;
  }

  for (const [file, rows] of readCorpus()) {
    describe(file, () => {
      for (const row of rows) {
        for (const kind of row.peers) {
          it(`${row.it} (${kind}): ${row.wants}`, () => {
            if (row.at === 'Established') decoded(row, kind);
            const arena = arenaOf(kind);
            try {
              lived(row, arena);
            } catch (error) {
              arenas.delete(kind);
              throw error;
            }
          });
        }
      }
    });
  }
});

/** The decoder alone. */
function decoded(row: Row, kind: Kind): void {
  for (const bytes of messagesOf(row, kind)) {
    const answer = decodeMessage(bytes, negotiated(HOSTILE[kind].asn, kind));
    if (answer.ok && answer.message?.type === 'open') return; // A sound message in a state that has no use for it.
    if (row.wants.startsWith('reset')) {
      expect(answer.ok, 'is refused').to.equal(false);
      if (!answer.ok)
        expect(codesOf(row)).to.include(`${answer.notification.code}/${answer.notification.subcode}`);
      continue;
    }
    expect(answer.ok, answer.ok ? '' : answer.reason).to.equal(true);
    const outcome = {
      accept: undefined,
      close: undefined,
      discard: 'attribute-discard',
      withdraw: 'treat-as-withdraw',
    };
    if (answer.ok) expect(outcomeOf(answer.faults)).to.equal(outcome[row.wants as keyof typeof outcome]);
  }
}

/** The whole speaker: the session, its routes, and everybody else's. */
function lived(row: Row, arena: Arena): void {
  const { hostile, neighbour, kind } = arena;
  hostile.connect();
  arena.run(0.1);
  if (row.at !== 'OpenSent') hostile.say(encodeOpen(arena.open()));
  if (row.at === 'Established') {
    hostile.say(encodeKeepalive());
    hostile.say(standing(kind));
  }
  arena.run(0.1);
  expect(neighbour.session.state, 'before').to.equal(row.at);
  const before = { ...neighbour.session.counters };
  for (const bytes of messagesOf(row, kind)) hostile.say(bytes);
  arena.run(1);

  const { notification } = hostile;
  const answer = notification === undefined ? undefined : `${notification.code}/${notification.subcode}`;
  if (row.wants.startsWith('reset')) {
    expect(codesOf(row)).to.include(answer);
    expect(hostile.closed, 'closed').to.equal(true);
    expect(held(arena)).to.deep.equal([]);
  } else if (row.wants === 'close') {
    expect(answer, 'answer').to.equal(undefined);
    expect(hostile.closed, 'closed').to.equal(true);
    expect(held(arena)).to.deep.equal([]);
  } else if (row.wants === 'OpenConfirm') {
    expect(answer, neighbour.session.lastError).to.equal(undefined);
    expect(neighbour.session.state).to.equal('OpenConfirm');
  } else {
    expect(answer, neighbour.session.lastError).to.equal(undefined);
    expect(neighbour.session.state).to.equal('Established');
    const { treatedAsWithdraw, attributesDiscarded } = neighbour.session.counters;
    expect(treatedAsWithdraw - before.treatedAsWithdraw, 'treated as withdraw').to.equal(
      row.wants === 'withdraw' ? 1 : 0,
    );
    const discarded = attributesDiscarded - before.attributesDiscarded;
    if (row.wants === 'discard') expect(discarded, 'attributes discarded').to.be.above(0);
    if (row.wants === 'accept') expect(discarded, 'attributes discarded').to.equal(0);
    const wanted = row.holds ?? (row.wants === 'withdraw' ? [] : [STANDING]);
    expect(held(arena)).to.have.members(wanted);
  }
  expect(arena.check()).to.deep.equal([]);
  arena.reset();
  expect([...arena.leaks(), ...arena.check()], 'afterwards').to.deep.equal([]);
}

function codesOf(row: Row): string[] {
  return row.wants.slice('reset '.length).split(' or ');
}

function held({ neighbour, speaker }: Arena): string[] {
  return FAMILY_NAMES.flatMap((family) =>
    [...neighbour.adjRibIn[family].entries()].map(({ id }) =>
      String(speaker.tables[family].index.prefix(id)),
    ),
  );
}
