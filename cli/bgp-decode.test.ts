import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { frame, ipPacket, open, pcapng, update } from '../bgpd/decode/testing.ts';
import { commandLine, type CommandLine } from './testing.ts';

const KEEPALIVE = `${'ff'.repeat(16)}001304`;

function objects(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('poplin bgp decode', () => {
  let poplin: CommandLine;
  beforeEach(() => void (poplin = commandLine()));

  it('reads hexadecimal lines from standard input, the last one without its end', async () => {
    const ran = await poplin('bgp decode', `# two\n${KEEPALIVE}\n${KEEPALIVE}`);
    expect(ran.code).to.equal(0);
    expect(objects(ran.out)).to.deep.equal([
      { line: 2, at: 0, length: 19, type: 'keepalive' },
      { line: 3, at: 0, length: 19, type: 'keepalive' },
    ]);
  });

  it('knows a capture and plain octets by their first octets', async () => {
    const packet = { from: 'fd00::1', fromPort: 179, to: 'fd00::2', toPort: 40_000, sequence: 1 };
    const file = join(poplin.folder, 'a.pcapng');
    writeFileSync(file, pcapng('sll2', [frame('sll2', ipPacket({ ...packet, payload: open(65001) }))]));
    const octets = join(poplin.folder, 'a.octets');
    writeFileSync(octets, Buffer.from(KEEPALIVE, 'hex'));
    const ran = await poplin(`bgp decode ${file} ${octets}`);
    expect(ran.code).to.equal(0);
    expect(objects(ran.out).map(({ type }) => type)).to.deep.equal(['open', 'keepalive']);
    expect((await poplin('bgp decode', Buffer.from(KEEPALIVE, 'hex'))).out).to.contain('keepalive');
  });

  it('takes what OPENs would say from options', async () => {
    const line = Buffer.from(update('10.1.0.0/16', [65001], { addPathSend: ['ipv4-unicast'] })).toString(
      'hex',
    );
    for (const family of ['1/1', 'ipv4-unicast']) {
      const ran = await poplin(`bgp decode --asn4 --peer external --add-path ${family}`, line);
      expect(objects(ran.out)[0]).to.deep.include({
        announced: [
          { family: 'ipv4-unicast', nextHop: '10.0.0.1', nlri: [{ prefix: '10.1.0.0/16', pathId: 7 }] },
        ],
      });
      expect(objects(ran.out)[0]).not.to.have.property('assumed');
    }
  });

  it('fails on what it cannot read, and goes on', async () => {
    const ran = await poplin('bgp decode', `xyz\n${KEEPALIVE}\n`);
    expect(ran.code).to.equal(1);
    expect(objects(ran.out).map(({ type }) => type)).to.deep.equal(['unreadable', 'keepalive']);
    expect((await poplin('bgp decode', 'x\n')).code).to.equal(1);
    expect((await poplin('bgp decode /none')).err).to.contain('/none cannot be read');
  });

  const wrong = [
    ['bgp decode --asn2 --asn4', 'contradict'],
    ['bgp decode --add-path 1/128', 'known are 1/1'],
    ['bgp decode --port 0', 'use 1 to 65535'],
  ] as const;
  for (const [line, says] of wrong) {
    it(`refuses ${line}`, async () => {
      const ran = await poplin(line);
      expect(ran.code).to.equal(2);
      expect(ran.err).to.contain(says);
    });
  }
});
