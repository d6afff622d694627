import { expect } from 'chai';
import { daemonCall } from './daemon-call.ts';
import { bgpdTable } from './tables/bgpd.ts';

const read = (line: string) => daemonCall(line.split(' '), bgpdTable);

describe('the call of a daemon', () => {
  it('becomes the values that the table promises', () => {
    expect(read('--config r.yaml --log-level=warn')).to.deep.equal({
      config: 'r.yaml',
      check: false,
      'print-schema': false,
      metrics: undefined,
      'log-level': 'warn',
    });
    expect(read('--check --config r.yaml')).to.include({ check: true, 'log-level': 'info' });
  });

  it('is left to the parser of all commands where it is a question or a mistake', () => {
    for (const line of [
      '--help',
      '--version',
      '--config',
      '--config a --config b',
      '--config r.yaml --log-level loud',
      '--config r.yaml extra',
      '--config r.yaml --unknown',
      '--config r.yaml -- more',
      '--no-check',
    ])
      expect(read(line), line).to.equal(undefined);
  });
});
