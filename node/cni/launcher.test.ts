import { expect } from 'chai';
import fc from 'fast-check';
import { readCall } from './launcher.ts';

const say = (env: readonly string[], stdin: string): Buffer =>
  Buffer.from(`POPLIN-CNI 1\n${env.map((entry) => `${entry}\0`).join('')}\0${stdin}`);

describe('what a launcher says', () => {
  it('is the environment and standard input, octet for octet', () => {
    const name = fc.stringMatching(/^[A-Z_]{1,12}$/);
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(fc.dictionary(name, text), fc.string({ unit: 'grapheme' }), (env, stdin) => {
        const entries = Object.entries(env).map(([key, value]) => `${key}=${value}`);
        expect(readCall(say(entries, stdin))).to.deep.equal({ env: { ...env }, stdin });
      }),
    );
  });

  it('keeps the first of two variables of one name, as getenv does', () => {
    expect(readCall(say(['CNI_COMMAND=ADD', 'CNI_COMMAND=DEL'], ''))?.env).to.deep.equal({
      CNI_COMMAND: 'ADD',
    });
  });

  it('is nothing when it was cut before standard input began, or is another protocol', () => {
    const whole = say(['CNI_COMMAND=ADD', 'CNI_IFNAME=eth0'], '');
    for (let n = 0; n < whole.length; n++)
      expect(readCall(whole.subarray(0, n)), `cut at ${n}`).to.equal(undefined);
    expect(readCall(Buffer.from('GET /status HTTP/1.1\r\n\r\n'))).to.equal(undefined);
  });
});
