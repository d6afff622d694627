/**
 * Output that may be larger than memory, a value at a time: a JSON array or a YAML sequence, or a table whose columns
 * are as wide as its first rows need. Waits for whoever reads it.
 */
import { stringify } from 'yaml';
import type { Terminal } from '../terminal.ts';

/** Characters gathered for one write. */
const GATHER = 32 * 1024;
/** Rows that are looked at for the widths of the columns. */
const SAMPLE = 500;
const GAP = 2;

class Gathered {
  readonly #terminal: Terminal;
  #text = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** @returns false when nobody reads any more */
  async write(text: string): Promise<boolean> {
    this.#text += text;
    return this.#text.length < GATHER || this.flush();
  }

  async flush(): Promise<boolean> {
    this.#terminal.out(this.#text);
    this.#text = '';
    return this.#terminal.flushed();
  }
}

export class ManyValues {
  readonly #out: Gathered;
  readonly #format: string;
  #first = true;

  /** @param format  `json` or `yaml` */
  constructor(terminal: Terminal, format: string) {
    this.#out = new Gathered(terminal);
    this.#format = format;
  }

  /** @returns false when nobody reads any more */
  async put(value: object): Promise<boolean> {
    const first = this.#first;
    this.#first = false;
    if (this.#format === 'yaml')
      return this.#out.write(stringify([value], { lineWidth: 0, aliasDuplicateObjects: false }));
    return this.#out.write(`${first ? '[\n' : ',\n'}  ${JSON.stringify(value)}`);
  }

  async end(): Promise<void> {
    if (this.#first) await this.#out.write('[]\n');
    else if (this.#format === 'json') await this.#out.write('\n]\n');
    await this.#out.flush();
  }
}

/** A row, or a line of text that no column counts for. */
type Line = readonly string[] | string;

export class ManyRows {
  readonly #out: Gathered;
  readonly #headings: readonly string[];
  #waiting: Line[] = [];
  #widths: readonly number[] | undefined;

  constructor(terminal: Terminal, headings: readonly string[]) {
    this.#out = new Gathered(terminal);
    this.#headings = headings;
  }

  /** @returns false when nobody reads any more */
  async put(line: Line): Promise<boolean> {
    if (this.#widths !== undefined) return this.#out.write(this.#draw(line, this.#widths));
    this.#waiting.push(line);
    return this.#waiting.length < SAMPLE || this.#begin();
  }

  async end(): Promise<void> {
    if (this.#widths === undefined) await this.#begin();
    await this.#out.flush();
  }

  async #begin(): Promise<boolean> {
    const rows = [this.#headings, ...this.#waiting.filter((line) => typeof line !== 'string')];
    const widths = this.#headings.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)) + GAP);
    this.#widths = widths;
    let more = await this.#out.write(this.#draw(this.#headings, widths));
    for (const line of this.#waiting) more = (await this.#out.write(this.#draw(line, widths))) && more;
    this.#waiting = [];
    return more;
  }

  #draw(line: Line, widths: readonly number[]): string {
    if (typeof line === 'string') return `${line}\n`;
    const cells = line.map((cell, i) =>
      i === line.length - 1 ? cell : `${cell.padEnd((widths[i] ?? 0) - GAP)}${' '.repeat(GAP)}`,
    );
    return `${cells.join('').trimEnd()}\n`;
  }
}
