/** Where a lab command prints. The command line's own terminal fits; tests hand in a list of lines. */
import { styleText } from 'node:util';

export interface Screen {
  out(text: string): void;
  /** Escape sequences for colour are welcome. */
  readonly colour: boolean;
  /** Width of the terminal; undefined when it is a pipe or a file, where nothing may be rewritten. */
  readonly columns: number | undefined;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export type Paint = (style: Style, text: string) => string;

export function painter(screen: Screen): Paint {
  return (style, text) => (screen.colour ? styleText(style, text, { validateStream: false }) : text);
}

/** Characters that a terminal shows, without escape sequences. */
export function visibleLength(text: string): number {
  // oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
  return Array.from(text.replace(/\u001b\[[0-9;]*m/g, '')).length;
}

export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - visibleLength(text)));
}

/** Rows in columns, two spaces apart, no spaces at line ends. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries())
      widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell));
  return rows
    .map(
      (row) =>
        `${indent}${row
          .map((cell, index) => padTo(cell, widths[index] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
