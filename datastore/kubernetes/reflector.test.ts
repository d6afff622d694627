/** How readers of one watch share it; the watch itself is a list of lines here, and a real one in `test/kubernetes/`. */
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import type { Api } from './api.ts';
import { Client } from './client.ts';
import { VersionGone } from './list.ts';
import { type Part, type Reflector, Reflectors, type Told } from './reflector.ts';
import { sourcesOf } from './resources.ts';

const PART: Part = { source: sourcesOf('Service')[0]!, namespace: undefined, fieldSelector: undefined };

/** Lines are handed on as they are pushed. */
class Lines {
  readonly asked: string[] = [];
  #waiting: string[] = [];
  #wake = (): void => {};

  readonly api = {
    stream: async ({ query }: { query: Record<string, string> }, _timeout: number, signal: AbortSignal) => {
      this.asked.push(query['resourceVersion'] ?? '');
      signal.addEventListener('abort', () => this.#wake());
      return Promise.resolve({ status: 200, lines: this.#lines(signal) });
    },
  } as unknown as Api;

  push(from: number, to = from): void {
    for (let version = from; version <= to; version++) {
      const metadata = { name: `s${version % 3}`, namespace: 'default', resourceVersion: String(version) };
      const spec = { clusterIP: '10.96.0.1', version };
      const object = { apiVersion: 'v1', kind: 'Service', metadata, spec };
      this.#waiting.push(JSON.stringify({ type: 'MODIFIED', object }));
    }
    this.#wake();
  }

  async *#lines(signal: AbortSignal): AsyncGenerator<string> {
    while (!signal.aborted) {
      const line = this.#waiting.shift();
      if (line !== undefined) yield line;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

async function take(reader: AsyncGenerator<Told>, count: number): Promise<string[]> {
  const versions: string[] = [];
  while (versions.length < count) versions.push((await reader.next()).value!.version);
  return versions;
}

describe('a watch that several read', () => {
  let lines: Lines;
  let reflectors: Reflectors;
  const stops: AbortController[] = [];

  beforeEach(() => {
    lines = new Lines();
    reflectors = new Reflectors(new Client(lines.api, new SimulatedClock()));
  });
  afterEach(() => {
    for (const stop of stops.splice(0)) stop.abort();
  });

  function reading(
    reflector: Reflector,
    position: string,
    stop = new AbortController(),
  ): AsyncGenerator<Told> {
    stops.push(stop);
    return reflector.read(position, stop.signal);
  }

  it('is one, and tells each what is new to it', async () => {
    const first = reading(reflectors.begin(PART, new Map(), '10'), '10');
    lines.push(11, 13);
    expect(await take(first, 3)).to.deep.equal(['11', '12', '13']);
    expect(reflectors.find(PART, '9'), 'it does not know what was before').to.equal(undefined);
    const second = reading(reflectors.find(PART, '12')!, '12');
    const third = reading(reflectors.find(PART, '14')!, '14');
    lines.push(14, 15);
    expect(await take(second, 3)).to.deep.equal(['13', '14', '15']);
    expect(await take(third, 1)).to.deep.equal(['15']);
    expect(await take(first, 2)).to.deep.equal(['14', '15']);
    expect(lines.asked).to.deep.equal(['10']);
    expect(reflectors.knownOf(PART, 'default/s0', '15')).to.have.length(1);
    expect(reflectors.knownOf(PART, 'default/s0', '12')).to.equal(undefined);
  });

  it('ends with its last reader, and with who let go of it instead', async () => {
    const stop = new AbortController();
    const reader = reading(reflectors.begin(PART, new Map(), '10'), '10', stop);
    lines.push(11);
    await take(reader, 1);
    const claimed = reflectors.find(PART, '11')!;
    stop.abort();
    expect((await reader.next()).done).to.equal(true);
    const other = reading(claimed, '11');
    lines.push(12);
    expect(await take(other, 1), 'it was kept for who was about to read').to.deep.equal(['12']);
    reflectors.find(PART, '12')!.letGo();
    expect(reflectors.find(PART, '12'), 'somebody reads it still').to.equal(claimed);
    claimed.letGo();
    stops.at(-1)!.abort();
    await other.next();
    expect(reflectors.find(PART, '12')).to.equal(undefined);
    const unread = reflectors.begin(PART, new Map(), '20');
    unread.letGo();
    expect(reflectors.find(PART, '20')).to.equal(undefined);
  });

  it('waits for a reader that is alone, and leaves one behind that is slower than others', async () => {
    const reflector = reflectors.begin(PART, new Map(), '10');
    const slow = reading(reflector, '10');
    const first = slow.next();
    lines.push(11, 20_000);
    expect((await first).value?.version).to.equal('11');
    await new Promise((resolve) => setImmediate(resolve));
    const quick = reading(reflectors.find(PART, '11')!, '11');
    const all = await take(quick, 19_989);
    expect(all.at(-1)).to.equal('20000');
    expect(new Set(all).size, 'each once').to.equal(19_989);
    const error: unknown = await slow.next().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(VersionGone);
    lines.push(20_001);
    expect(await take(quick, 1)).to.deep.equal(['20001']);
  });
});
