/** The law of IPAM, on any interleaving of any writers, any of whom may die between any two steps. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { IPPool } from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { Address, Prefix } from '../net/addr/index.ts';
import {
  type Burst,
  ExaminedStore,
  Ledger,
  MortalStore,
  seeded,
  Turns,
  turnsAsTime,
} from './interleaving.ts';
import { Ipam } from './ipam.ts';

const HOSTS = ['a', 'b', 'c'] as const;
const HANDLES = ['h0', 'h1', 'h2', 'h3'] as const;

type Step =
  | { readonly do: 'assign'; readonly handle: string; readonly v4: number; readonly v6: number }
  | { readonly do: 'assign one'; readonly handle: string; readonly offset: number }
  | { readonly do: 'release handle'; readonly handle: string }
  | { readonly do: 'release one'; readonly offset: number }
  | { readonly do: 'release host' }
  | { readonly do: 'release block'; readonly keepIfUsed: boolean }
  | { readonly do: 'wait' }
  | { readonly do: 'together'; readonly steps: readonly Step[] };

interface Writer {
  readonly host: string;
  readonly steps: readonly Step[];
  /** Writes several keys at once where it can, or, like Calico, one after the other. */
  readonly transactional: boolean;
  /** Store steps it lives; undefined for one that does not die. */
  readonly dies: number | undefined;
}

const handle = fc.constantFrom(...HANDLES);
const single: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('assign' as const),
      handle,
      v4: fc.integer({ min: 0, max: 2 }),
      v6: fc.integer({ min: 0, max: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('assign one' as const), handle, offset: fc.nat(15) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release handle' as const), handle }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release one' as const), offset: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release host' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('release block' as const), keepIfUsed: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
);
/** Several at once are done in one batch. */
function orTogether(one: fc.Arbitrary<Step>): fc.Arbitrary<Step> {
  const steps = fc.array(one, { minLength: 2, maxLength: 5 });
  return fc.oneof(
    { weight: 2, arbitrary: one },
    { weight: 1, arbitrary: steps.map((steps): Step => ({ do: 'together', steps })) },
  );
}
const step = orTogether(single);
const writer: fc.Arbitrary<Writer> = fc.record({
  host: fc.constantFrom(...HOSTS),
  transactional: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  dies: fc.option(fc.nat(80), { nil: undefined }),
});

/** So small that hosts run out of blocks and borrow: four blocks of four addresses, and of IPv6 two of two. */
function pool(name: string, cidr: string, blockSize: number): IPPool {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: {
      cidr,
      blockSize,
      vxlanMode: 'Never',
      ipipMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload'],
      assignmentMode: 'Automatic',
    },
  };
}

async function world(strict: boolean): Promise<ExaminedStore> {
  const store = new ExaminedStore();
  for (const value of [pool('v4', '10.0.0.0/28', 30), pool('v6', 'fd00::/126', 127)]) {
    await store.commit([
      { type: 'put', key: { kind: 'IPPool', scope: '', name: value.metadata.name }, value, expect: 'any' },
    ]);
  }
  const config = { auto_allocate_blocks: true, strict_affinity: strict };
  await store.commit([
    { type: 'put', key: { kind: 'IPAMConfig', scope: '', name: 'default' }, value: config, expect: 'any' },
  ]);
  return store;
}

async function act(
  ipam: Ipam,
  writer: Writer,
  step: Step,
  ledger: Ledger,
  clock: SimulatedClock,
): Promise<void> {
  const { host } = writer;
  switch (step.do) {
    case 'assign':
      return ledger.assigning(step.handle, async () => {
        const given = await ipam.autoAssign({
          host,
          handle: step.handle,
          attributes: { node: host },
          v4: step.v4,
          v6: step.v6,
        });
        return given.ok ? [...given.value.v4, ...given.value.v6] : [];
      });
    case 'assign one':
      return ledger.assigning(step.handle, async () => {
        const address = Address.v4(0x0a000000 + step.offset);
        const given = await ipam.assign({ address, host, handle: step.handle });
        return given.ok ? [given.value] : [];
      });
    case 'release handle':
      return ledger.releasing(step.handle, async () => ipam.releaseByHandle(step.handle));
    case 'release one': {
      const address = Address.v4(0x0a000000 + step.offset);
      return ledger.forgetting(address, async () => ipam.release([address]));
    }
    case 'release host':
      return ipam.releaseHost(host);
    case 'release block':
      await ipam.releaseAffinity(host, Prefix.parse('10.0.0.0/30')!, step);
      return;
    case 'together':
      await Promise.all(step.steps.map(async (one) => act(ipam, writer, one, ledger, clock)));
      return;
    case 'wait':
      clock.advance(61_000);
  }
}

/** Frees everything as the owners would, and says what is still there. */
async function leftovers(store: ExaminedStore): Promise<string[]> {
  const ipam = new Ipam(store, new SimulatedClock(), () => 0);
  for (const handle of HANDLES) await ipam.releaseByHandle(handle);
  for (const host of HOSTS) await ipam.releaseHost(host);
  const kinds = await Promise.all(
    ['IPAMBlock', 'IPAMHandle', 'BlockAffinity'].map(async (kind) => store.list({ kind })),
  );
  return kinds.flatMap(({ entries }) =>
    entries.map(
      ({ key, value }) =>
        `${key.kind} ${key.name}: ${JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
    ),
  );
}

async function run(writers: readonly Writer[], plan: readonly Burst[], strict: boolean): Promise<string[]> {
  const store = await world(strict);
  const ledger = new Ledger();
  const clock = new SimulatedClock();
  const turns = new Turns();
  const lives = writers.map((writer, i) => async (): Promise<void> => {
    const death = Promise.withResolvers<void>();
    const mortal = new MortalStore(
      store,
      async () => turns.wait(i),
      writer.dies ?? Number.POSITIVE_INFINITY,
      death.resolve,
      writer.transactional,
    );
    const ipam = new Ipam(
      mortal,
      turnsAsTime(clock, async () => turns.wait(i)),
      seeded(i),
    );
    const live = async (): Promise<void> => {
      for (const step of writer.steps) await act(ipam, writer, step, ledger, clock);
    };
    await Promise.race([live(), death.promise]);
  });
  await turns.run(lives, plan);
  ledger.check(await store.blocks());
  return [...store.broken, ...ledger.broken, ...(await leftovers(store)).map((left) => `left over: ${left}`)];
}

const plan: fc.Arbitrary<Burst[]> = fc.array(
  fc.record({
    writer: fc.nat(3),
    steps: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
  }),
  { maxLength: 30 },
);

/** All on one handle and one host, whose first block is 10.0.0.12/30: where counts are most in danger. */
const rival: fc.Arbitrary<Writer> = fc.record({
  host: fc.constant('a'),
  transactional: fc.boolean(),
  steps: fc.array(
    orTogether(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant<Step>({ do: 'assign', handle: 'h0', v4: 1, v6: 0 }) },
        { weight: 1, arbitrary: fc.constant<Step>({ do: 'assign', handle: 'h1', v4: 1, v6: 0 }) },
        { weight: 2, arbitrary: fc.constant<Step>({ do: 'release handle', handle: 'h0' }) },
        {
          weight: 1,
          arbitrary: fc.integer({ min: 12, max: 15 }).map((offset): Step => ({ do: 'release one', offset })),
        },
      ),
    ),
    { minLength: 1, maxLength: 3 },
  ),
  dies: fc.option(fc.nat(60), { nil: undefined, freq: 3 }),
});

describe('the law of IPAM', () => {
  const RUNS = Number(process.env['POPLIN_IPAM_RUNS'] ?? 600);
  for (const [name, writers, strict] of [
    ['any writers that may borrow', writer, false],
    ['any writers under strict affinity', writer, true],
    ['rivals on one handle', rival, false],
  ] as const) {
    it(`holds for ${name}, in any order, dying anywhere`, async function () {
      this.timeout(600_000);
      await fc.assert(
        fc.asyncProperty(fc.array(writers, { minLength: 2, maxLength: 4 }), plan, async (writers, plan) => {
          expect((await run(writers, plan, strict)).join('\n')).to.equal('');
        }),
        { numRuns: RUNS },
      );
    });
  }
});
