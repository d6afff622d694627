/** Gates that a configuration names, on a clock that the test moves, and one real server. */
import { expect } from 'chai';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SimulatedClock } from '../../clock/simulated.ts';
import { SystemClock } from '../../clock/system.ts';
import { CniFailure } from '../../cni-plugin/error.ts';
import { type Look, passGates } from './readiness.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('cni: readiness gates', () => {
  it('let pass at once when there is none, or all are open', async () => {
    await passGates([], new SimulatedClock());
    await passGates(['a', 'b'], new SimulatedClock(), () => Promise.resolve(undefined));
  });

  it('hold an ADD until the last is open', async () => {
    const clock = new SimulatedClock();
    const open = new Set(['a']);
    const look: Look = (url) => Promise.resolve(open.has(url) ? undefined : 'closed');
    let passed = false;
    const passing = passGates(['a', 'b'], clock, look).then(() => (passed = true));
    for (let i = 0; i < 10; i++) {
      await settle();
      clock.advance(500);
    }
    expect(passed).to.equal(false);
    open.add('b');
    await settle();
    clock.advance(500);
    await passing;
  });

  it('say after half a minute which is closed, and why', async () => {
    const clock = new SimulatedClock();
    const passing = passGates(['http://here'], clock, () => Promise.resolve('it answers 503')).then(
      () => undefined,
      (error: unknown) => error,
    );
    for (let i = 0; i < 61; i++) {
      await settle();
      clock.advance(500);
    }
    const error = await passing;
    expect(error).to.be.instanceOf(CniFailure);
    expect((error as CniFailure).error).to.include({ code: 11 });
    expect((error as CniFailure).message)
      .to.contain('http://here')
      .and.contain('it answers 503');
  });

  describe('of a server', () => {
    let server: Server;
    let status = 503;
    before(async () => {
      server = createServer((_request, response) => response.writeHead(status).end('words')).listen(
        0,
        '127.0.0.1',
      );
      await once(server, 'listening');
    });
    after(() => server.close());

    it('are open from 200 to 399', async () => {
      const { port } = server.address() as AddressInfo;
      const passing = passGates([`http://127.0.0.1:${port}/readyz`], new SystemClock());
      setImmediate(() => (status = 302));
      await passing;
    });
  });
});
