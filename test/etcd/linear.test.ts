/** The checker of histories, checked: against every order there is, and with histories that a register made. */
import { expect } from 'chai';
import fc from 'fast-check';
import { apply, isLinearizable, type Operation, type State } from './linear.ts';

const value = fc.constantFrom<State>('a', 'b', undefined);
const action = fc.oneof(
  fc.record({ type: fc.constant('read' as const), seen: value }),
  fc.record({
    type: fc.constant('swap' as const),
    from: value,
    to: value,
    ok: fc.constantFrom(true, false, undefined),
  }),
);
const operation: fc.Arbitrary<Operation> = fc
  .record({ call: fc.nat(20), length: fc.integer({ min: 1, max: 12 }), isLost: fc.nat(5), action })
  .map(({ call, length, isLost, action }) => ({
    call,
    answer: isLost === 0 ? Infinity : call + length,
    action,
  }));

describe('the checker of histories', () => {
  it('says what trying every order says', () => {
    const said = { true: 0, false: 0 };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), value, (history, initial) => {
        const answer = tryAll(history, initial);
        said[`${answer}`]++;
        expect(isLinearizable(history, initial)).to.equal(answer);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(said.true, said.false)).to.be.greaterThan(200);
  });

  it('accepts what a register did, and not what it cannot have done', () => {
    const step = fc.record({
      isRead: fc.boolean(),
      guess: fc.boolean(),
      before: fc.nat(5),
      after: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const { history, last } = record(steps);
        expect(isLinearizable(history, undefined)).to.equal(true);
        const end = { call: 1e6, answer: 1e6 + 1 };
        const read = (seen: State): Operation => ({ ...end, action: { type: 'read', seen } });
        expect(isLinearizable([...history, read(last)], undefined)).to.equal(true);
        expect(isLinearizable([...history, read('never written')], undefined)).to.equal(false);
        const lost = { ...read(last), action: { type: 'swap', from: last, to: 'lost', ok: true } } as const;
        expect(
          isLinearizable([...history, lost, { ...read(last), call: 2e6, answer: 3e6 }], undefined),
        ).to.equal(false);
      }),
      { numRuns: 200 },
    );
  });

  it('finds a swap that two callers won', () => {
    expect(isLinearizable([won(0, 'a')], undefined)).to.equal(true);
    expect(isLinearizable([won(0, 'a'), won(1, 'b')], undefined)).to.equal(false);
  });

  it('finds an old value that is read behind a newer one', () => {
    const history = [
      at(0, { type: 'swap', from: undefined, to: 'a', ok: true }),
      at(2, { type: 'swap', from: 'a', to: 'b', ok: true }),
      at(4, { type: 'read', seen: 'b' }),
      at(6, { type: 'read', seen: 'a' }),
    ];
    expect(isLinearizable(history.slice(0, 3), undefined)).to.equal(true);
    expect(isLinearizable(history, undefined)).to.equal(false);
  });
});

function won(call: number, to: string): Operation {
  return { call, answer: call + 5, action: { type: 'swap', from: undefined, to, ok: true } };
}

function at(call: number, action: Operation['action']): Operation {
  return { call, answer: call + 1, action };
}

/** The definition, word for word: some order of all answered and some unanswered ones that time and register allow. */
function tryAll(left: readonly Operation[], state: State): boolean {
  if (left.every(({ answer }) => answer === Infinity)) return true;
  return left.some((one) => {
    const others = left.filter((other) => other !== one);
    if (others.some(({ answer }) => answer < one.call)) return false;
    const next = apply(state, one);
    return next !== undefined && tryAll(others, next.state);
  });
}

/** A register's own history: each step happens at its place, and was called before and answered after. */
function record(steps: readonly { isRead: boolean; guess: boolean; before: number; after: number }[]): {
  history: Operation[];
  last: State;
} {
  let state: State;
  const history = steps.map(({ isRead, guess, before, after }, i): Operation => {
    const times = { call: i - before, answer: i + after + 0.5 };
    if (isRead) return { ...times, action: { type: 'read', seen: state } };
    const from = guess ? state : 'wrong';
    const action = { type: 'swap', from, to: `v${i}`, ok: from === state } as const;
    if (action.ok) state = action.to;
    return { ...times, action };
  });
  return { history, last: state };
}
