import { expect } from 'chai';
import { BatchAnswer, DumpAnswer } from './answer.ts';
import { type Message, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, splitDatagram } from './message.ts';

const OBJECT = 24;
const NLM_F_MULTI = 2;

function message(type: number, sequence: number, flags: number, word: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(20, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.writeInt32LE(word, 16);
  return bytes;
}

function feed(answer: BatchAnswer | DumpAnswer<number>, ...parts: readonly Buffer[]): void {
  for (const part of parts) for (const one of splitDatagram(part, part.length)) answer.take(part, one);
}

const word = (bytes: Buffer, { start }: Message) => bytes.readInt32LE(start);

describe('the answer to a dump', () => {
  it('comes in parts, until it is said to be done', () => {
    const dump = new DumpAnswer(7, word);
    feed(
      dump,
      Buffer.concat([message(OBJECT, 7, NLM_F_MULTI, 1), message(OBJECT, 7, NLM_F_MULTI, 2)]),
      message(OBJECT, 7, NLM_F_MULTI, 3),
    );
    expect(dump.complete).to.equal(false);
    feed(dump, message(NLMSG_DONE, 7, NLM_F_MULTI, 0));
    expect(dump).to.deep.include({ complete: true, found: [1, 2, 3], interrupted: false });
  });

  it('is marked when objects changed, be it told in a part or only at the end', () => {
    for (const [first, last] of [
      [NLM_F_DUMP_INTR, 0],
      [0, NLM_F_DUMP_INTR],
    ] as const) {
      const dump = new DumpAnswer(7, word);
      feed(dump, message(OBJECT, 7, first, 1), message(NLMSG_DONE, 7, last, 0));
      expect(dump.interrupted).to.equal(true);
    }
  });

  it('is not mixed up with what an abandoned question left behind', () => {
    const dump = new DumpAnswer(7, word);
    feed(
      dump,
      message(OBJECT, 6, NLM_F_DUMP_INTR, 9),
      message(NLMSG_DONE, 6, 0, 0),
      message(OBJECT, 7, 0, 1),
    );
    expect(dump).to.deep.include({ complete: false, found: [1], interrupted: false });
  });

  it('may be a refusal, at once or at the end', () => {
    for (const type of [NLMSG_ERROR, NLMSG_DONE]) {
      const dump = new DumpAnswer(7, word);
      feed(dump, message(type, 7, 0, -2));
      expect(dump.verdict).to.deep.equal({ errno: 2, text: undefined });
    }
  });

  it('is read to its end although one message makes no sense', () => {
    const error = new RangeError('nonsense');
    const dump = new DumpAnswer<number>(7, () => {
      throw error;
    });
    feed(dump, message(OBJECT, 7, 0, 1), message(OBJECT, 7, 0, 2), message(NLMSG_DONE, 7, 0, 0));
    expect(dump).to.deep.include({ complete: true, found: [], broken: { error } });
  });
});

describe('the answer to a batch', () => {
  it('is success for all that is not mentioned before the last', () => {
    const batch = new BatchAnswer(5, 4);
    feed(batch, message(NLMSG_ERROR, 6, 0, -17), message(NLMSG_ERROR, 4, 0, -1));
    expect(batch.complete).to.equal(false);
    feed(batch, message(NLMSG_ERROR, 8, 0, 0));
    expect(batch.complete).to.equal(true);
    expect([...batch.failures]).to.deep.equal([[1, { errno: 17, text: undefined }]]);
  });

  it('is complete with the failure of the last', () => {
    const batch = new BatchAnswer(5, 1);
    feed(batch, message(NLMSG_ERROR, 5, 0, -3));
    expect(batch.complete).to.equal(true);
    expect([...batch.failures]).to.deep.equal([[0, { errno: 3, text: undefined }]]);
  });

  it('hands over objects that come with it', () => {
    const seen: number[] = [];
    const batch = new BatchAnswer(5, 1, (bytes, one) => seen.push(word(bytes, one)));
    feed(batch, message(OBJECT, 5, 0, 42), message(NLMSG_ERROR, 5, 0, 0));
    expect(seen).to.deep.equal([42]);
  });
});
