import { expect } from 'chai';
import { box, columns } from './table.ts';

describe('tables', () => {
  it('puts columns three spaces apart, at least five wide, without spaces at line ends', () => {
    expect(
      columns(
        ['NAME', 'N', 'LAST'],
        [
          ['a', '1', ''],
          ['longer-name', '22', 'x'],
        ],
      ),
    ).to.equal(['NAME          N    LAST', 'a             1', 'longer-name   22   x', ''].join('\n'));
  });

  it('draws boxes, numbers to the right', () => {
    expect(box(['CIDR', 'FREE'], [['10.0.0.0/26', '64']], ['left', 'right'])).to.equal(
      [
        '+-------------+------+',
        '| CIDR        | FREE |',
        '+-------------+------+',
        '| 10.0.0.0/26 |   64 |',
        '+-------------+------+',
        '',
      ].join('\n'),
    );
  });

  it('measures what is seen, not what is sent', () => {
    expect(columns(['A', 'B'], [['\u001b[32mup\u001b[0m', 'x']])).to.contain('\u001b[32mup\u001b[0m   x');
  });
});
