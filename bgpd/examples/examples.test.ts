import { expect } from 'chai';
import { announce } from './announce.ts';
import { collect } from './collector.ts';
import { describe as decode } from './decode.ts';

describe('the examples of the library', () => {
  it('decode an UPDATE, and refuse what is none', () => {
    const update = `${'ff'.repeat(16)}002f02000000144001010040020602010000fde9400304c0000201180a3200`;
    expect(decode(update)).to.equal('update +10.50.0.0/24 via 192.0.2.1 path 65001');
    expect(decode(`${'ff'.repeat(16)}001304`)).to.equal('keepalive');
    expect(decode(`${'00'.repeat(16)}001304`)).to.equal('refused: NOTIFICATION 1/1');
    // ORIGIN of 9: RFC 7606 §7.1.
    expect(decode(update.replace('40010100', '40010109'))).to.match(/^update -10\.50\.0\.0\/24 .*ORIGIN/);
  });

  it('announce a prefix to the collector, over TCP', async () => {
    const lines: string[] = [];
    let heard: (() => void) | undefined;
    const done = new Promise<void>((resolve) => (heard = resolve));
    const collector = await collect({ address: '127.0.0.1', asNumber: 64513 }, 0, (line) => {
      lines.push(line);
      if (line.includes('203.0.113.0/24')) heard?.();
    });
    const speaker = await announce('203.0.113.0/24', '192.0.2.11', {
      address: '127.0.0.1',
      port: collector.port ?? 0,
      asNumber: 64512,
    });
    await done;
    speaker.close('enough');
    collector.close();
    expect(lines.join('\n')).to.match(/"type":"established"/);
    expect(lines.at(-1)).to.match(/^127\.0\.0\.1 \+ 203\.0\.113\.0\/24 via 192\.0\.2\.11 .*64513/);
  });
});
