import { expect } from 'chai';
import { parse } from 'yaml';
import type { Terminal } from '../terminal.ts';
import { ManyRows, ManyValues } from './many.ts';

/** @param reads  characters after which nobody reads any more */
function terminal(reads = Number.POSITIVE_INFINITY): Terminal & { written(): string; writes(): number } {
  let text = '';
  let writes = 0;
  return {
    out: (more) => {
      text += more;
      writes++;
    },
    err: () => undefined,
    flushed: () => Promise.resolve(text.length < reads),
    stdin: () => Promise.resolve(''),
    octets: async function* () {},
    env: {},
    columns: undefined,
    colour: false,
    written: () => text,
    writes: () => writes,
  };
}

describe('output larger than memory', () => {
  for (const [format, read] of [
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parse(text)],
  ] as const) {
    for (const count of [0, 1, 5000]) {
      it(`is one ${format} document of ${count} values`, async () => {
        const to = terminal();
        const values = new ManyValues(to, format);
        const all = Array.from({ length: count }, (_, i) => ({ i, text: `line ${i}: "x"` }));
        for (const value of all) expect(await values.put(value)).to.equal(true);
        await values.end();
        expect(read(to.written())).to.deep.equal(all);
      });
    }
  }

  it('is written in large pieces, and ends when nobody reads', async () => {
    const to = terminal(100_000);
    const values = new ManyValues(to, 'json');
    let put = 0;
    while (await values.put({ text: 'x'.repeat(100) })) put++;
    expect(put).to.be.within(900, 2000);
    expect(to.writes()).to.be.below(8);
  });

  it('has columns as wide as the first rows need, and shows wider cells all the same', async () => {
    const to = terminal();
    const rows = new ManyRows(to, ['A', 'LAST']);
    await rows.put(['first', 'x']);
    await rows.put('     a line of text, which no column counts for');
    for (let i = 0; i < 600; i++) await rows.put([`r${i}`, 'y']);
    await rows.put(['much wider than all before', 'z']);
    await rows.end();
    const lines = to.written().split('\n');
    expect(lines.slice(0, 4)).to.deep.equal([
      'A      LAST',
      'first  x',
      '     a line of text, which no column counts for',
      'r0     y',
    ]);
    expect(lines.at(-2)).to.equal('much wider than all before  z');
    expect(lines).to.have.length(605);
  });

  it('is headings alone where there is nothing', async () => {
    const to = terminal();
    await new ManyRows(to, ['A', 'B']).end();
    expect(to.written()).to.equal('A  B\n');
  });
});
