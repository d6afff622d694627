/** Draws the matrix: one row per source, two marks per cell (IPv4, IPv6), red where measured and expected differ. */
import { type Paint, columns } from '../terminal/screen.ts';
import { type Matrix, wrongCells } from './matrix.ts';

const OPEN = '●';
const SHUT = '·';

export function drawMatrix(matrix: Matrix, paint: Paint): string {
  const cells = new Map(matrix.cells.map((cell) => [`${cell.from} ${cell.to} ${cell.family}`, cell]));
  const mark = (from: string, to: string): string => {
    if (from === to) return paint('dim', '–');
    return ([4, 6] as const)
      .map((family) => {
        const cell = cells.get(`${from} ${to} ${family}`);
        if (cell === undefined) return '?';
        const sign = cell.got ? OPEN : SHUT;
        if (cell.want !== cell.got) return paint('red', cell.got ? '!' : '✗');
        return cell.got ? paint('green', sign) : paint('dim', sign);
      })
      .join('');
  };
  const rows = [
    [paint('dim', 'from \\ to'), ...matrix.names.map((name) => paint('bold', name))],
    ...matrix.names.map((from) => [paint('bold', from), ...matrix.names.map((to) => mark(from, to))]),
  ];
  const legend = [
    `${paint('green', OPEN)} reached, as it must`,
    `${paint('dim', SHUT)} blocked, as it must`,
    ...(wrongCells(matrix).length === 0
      ? []
      : [
          `${paint('red', '✗')} should be reached and is not`,
          `${paint('red', '!')} should be blocked and is not`,
        ]),
  ];
  return `${columns(rows)}\n  ${paint('dim', 'each cell: IPv4, IPv6.')}  ${legend.join('   ')}\n`;
}

export function drawWrong(matrix: Matrix): string {
  return columns(
    wrongCells(matrix).map((cell) => [
      `${cell.from} → ${cell.to}`,
      `IPv${cell.family}`,
      `expected ${cell.want ? 'reached' : 'blocked'}, measured ${cell.got ? 'reached' : 'blocked'}`,
      cell.remark ?? '',
    ]),
  );
}
