/** Two kinds of table: columns apart by spaces, as `calicoctl get` prints them, and boxes, as its `show` and `status` do. */

const GAP = 3;
const NARROWEST = 5;

/** Headings and rows in columns; no spaces at line ends. */
export function columns(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(NARROWEST, ...lines.map((line) => width(line[column] ?? '') + GAP)),
  );
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

export type Align = 'left' | 'right';

/** A bordered table; `align` by column, left where it says nothing. */
export function box(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  const rule = `+${widths.map((w) => '-'.repeat(w + 2)).join('+')}+\n`;
  const draw = (line: readonly string[]): string =>
    `|${widths.map((w, column) => ` ${align[column] === 'right' ? padStart(line[column] ?? '', w) : pad(line[column] ?? '', w)} `).join('|')}|\n`;
  return [rule, draw(headings), rule, ...rows.map(draw), rule].join('');
}

/** Names may hold any letter; what counts is what the terminal shows, without escape sequences. */
function width(text: string): number {
  // oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
  return Array.from(text.replace(/\u001b\[[0-9;]*m/g, '')).length;
}

function pad(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}

function padStart(text: string, to: number): string {
  return ' '.repeat(Math.max(0, to - width(text))) + text;
}
