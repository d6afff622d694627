import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { limitedLog } from './limited-log.ts';

describe('the log of a daemon with many peers', () => {
  it('stays within bounds however many peers write, tells what it left out, and never keeps an error back', () => {
    const lines: string[] = [];
    const note =
      (level: string) =>
      (_data: object, text: string): void =>
        void lines.push(`${level} ${text}`);
    const clock = new SimulatedClock();
    const base = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const log = limitedLog(base, clock);
    for (let peer = 0; peer < 5_000; peer++) log.warn({ peer }, 'malformed UPDATE');
    expect(lines).to.have.length(1_000);
    log.info({}, 'established');
    log.error({}, 'the kernel cannot be reached');
    expect(lines.slice(1_000)).to.deep.equal(['info established', 'error the kernel cannot be reached']);
    clock.advance(60_000);
    log.warn({}, 'malformed UPDATE');
    expect(lines.at(-1)).to.equal('warn malformed UPDATE (4000 lines before it were not logged)');
  });
});
