import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { Secrets } from './secrets.ts';

describe('Secrets as files', () => {
  let folder: string;
  let clock: SimulatedClock;
  let changes: number;
  let secrets: Secrets;
  const write = (value: string): void => writeFileSync(join(folder, 'bgp-secrets', 'tor'), value);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-secrets-'));
    mkdirSync(join(folder, 'bgp-secrets'));
    write('key one\n');
    changes = 0;
    clock = new SimulatedClock();
    secrets = new Secrets(folder, clock, () => void changes++);
  });

  afterEach(() => {
    secrets.stop();
    rmSync(folder, { recursive: true });
  });

  it('are read without the line break at the end', () => {
    expect(secrets.read('bgp-secrets', 'tor')).to.equal('key one');
    write('two\n\n');
    expect(secrets.read('bgp-secrets', 'tor')).to.equal('two\n');
    expect(secrets.read('bgp-secrets', 'none')).to.equal(undefined);
    expect(secrets.read('none', 'tor')).to.equal(undefined);
  });

  it('are never sought outside the folder', () => {
    writeFileSync(join(folder, 'outside'), 'x');
    for (const [name, key] of [
      ['bgp-secrets', '../outside'],
      ['bgp-secrets/..', 'outside'],
      ['..', 'outside'],
      ['.', 'outside'],
      ['', 'outside'],
    ] as const)
      expect(secrets.read(name, key), `${name}/${key}`).to.equal(undefined);
  });

  it('tell when one that was asked for has come, changed or gone, and of no other', () => {
    secrets.read('bgp-secrets', 'tor');
    secrets.read('bgp-secrets', 'late');
    clock.advance(60_000);
    expect(changes).to.equal(0);
    write('key two');
    clock.advance(2_000);
    expect(changes).to.equal(1);
    secrets.forget();
    secrets.read('bgp-secrets', 'late');
    write('key three');
    clock.advance(60_000);
    expect(changes).to.equal(1);
    writeFileSync(join(folder, 'bgp-secrets', 'late'), 'x');
    clock.advance(2_000);
    expect(changes).to.equal(2);
  });
});
