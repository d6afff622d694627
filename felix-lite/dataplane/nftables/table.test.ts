/** What one change costs, and in which transaction each part of it goes. */
import { expect } from 'chai';
import { Selector } from '../../../api/selector/index.ts';
import type { SetChange, SetDefinition } from '../../calc/model.ts';
import { setName } from '../../rules/names.ts';
import { type Chain, type Hook, type Rule, rule, type TableName } from '../../rules/types.ts';
import { NftTable, type Stages } from './table.ts';

const EVERYTHING = new Selector({ op: 'all' });
const SET: SetDefinition = { id: EVERYTHING.id, of: { selector: EVERYTHING } };
const NAME = setName(4, SET.id);
const KERNEL_NAME = NAME.replace(':', '-');

const HOOKS: ReadonlyMap<TableName, readonly Hook[]> = new Map([
  ['filter', [{ chain: 'FORWARD', first: [rule([], { kind: 'jump', chain: 'cali-FORWARD' })], last: [] }]],
]);

function looking(...more: readonly Rule[]): Chain {
  return {
    name: 'cali-pi-np/a',
    rules: [rule([{ kind: 'set', side: 'source', set: NAME, with: 'address' }], { kind: 'drop' }), ...more],
  };
}

const FORWARD: Chain = {
  name: 'cali-FORWARD',
  rules: [
    rule([], { kind: 'jump', chain: 'cali-pi-np/a' }),
    rule([], { kind: 'jump', chain: 'cali-pi-np/b' }),
  ],
};
const OTHER: Chain = { name: 'cali-pi-np/b', rules: [rule([], { kind: 'accept' })] };

function change(table: NftTable, ...chains: readonly Chain[]): void {
  table.update({
    version: 4,
    table: 'filter',
    chains: new Map(chains.map((chain) => [chain.name, chain])),
    maps: new Map(),
  });
}

function remove(table: NftTable, ...names: readonly string[]): void {
  const chains = new Map(names.map((name) => [name, undefined]));
  table.update({ version: 4, table: 'filter', chains, maps: new Map() });
}

function sets(table: NftTable, each: SetChange): void {
  table.updateSets(new Map([[SET.id, each]]));
}

/** As if the kernel had taken it, every rule getting a handle. */
function take(table: NftTable, clear = false): Stages {
  const stages = table.plan(clear);
  let handle = 100n;
  for (const { done } of [...stages.before, ...stages.rules, ...stages.after]) done?.(handle++);
  table.finished();
  return stages;
}

function ops(stage: Stages[keyof Stages]): readonly string[] {
  return stage.map(({ operation }) => {
    const name =
      'set' in operation
        ? typeof operation.set === 'string'
          ? operation.set
          : operation.set.name
        : 'rule' in operation
          ? operation.rule.chain
          : 'chain' in operation
            ? typeof operation.chain === 'string'
              ? operation.chain
              : operation.chain.name
            : '';
    return `${operation.op} ${name}`.trim();
  });
}

function loaded(members: readonly string[]): NftTable {
  const table = new NftTable(4, HOOKS);
  sets(table, { type: 'whole', definition: SET, members: new Set(members) });
  change(table, FORWARD, looking(), OTHER);
  take(table);
  return table;
}

function isHooked({ operation }: Stages['rules'][number]): boolean {
  return operation.op === 'add-chain' && operation.chain.base !== undefined;
}

describe('our table in nf_tables', () => {
  it('touches the chain that changed, from the first rule that differs, and nothing else', () => {
    const table = loaded(['10.0.0.1']);
    change(table, looking(rule([], { kind: 'accept' })));
    expect(ops(take(table).rules)).to.deep.equal(['add-rule filter-cali-pi-np/a']);
    change(table, looking(rule([], { kind: 'return' })));
    expect(ops(take(table).rules)).to.deep.equal([
      'delete-rule filter-cali-pi-np/a',
      'add-rule filter-cali-pi-np/a',
    ]);
    change(table, looking(rule([], { kind: 'return' })));
    expect(take(table)).to.deep.equal({ before: [], rules: [], after: [] });
  });

  it('brings addresses with the rules, hashed, in one transaction', () => {
    const table = loaded(['10.0.0.1']);
    sets(table, { type: 'delta', added: ['10.0.0.2'], removed: ['10.0.0.1'] });
    const { before, rules, after } = take(table);
    expect([before, after]).to.deep.equal([[], []]);
    expect(ops(rules)).to.deep.equal([
      `add-elements ${KERNEL_NAME}-hosts`,
      `delete-elements ${KERNEL_NAME}-hosts`,
    ]);
  });

  it('makes a set of ranges before the rules that turn to it, when the first network comes', () => {
    const table = loaded(['10.0.0.1']);
    sets(table, { type: 'delta', added: ['10.1.0.0/16'], removed: [] });
    const { before, rules, after } = take(table);
    expect(ops(before)).to.deep.equal([`add-set ${KERNEL_NAME}`, `add-elements ${KERNEL_NAME}`]);
    expect(ops(rules)).to.deep.equal(['flush-chain filter-cali-pi-np/a', 'add-rule filter-cali-pi-np/a']);
    expect(after).to.deep.equal([]);
    expect(ops(take(table, true).before)).to.deep.equal([]);
    sets(table, { type: 'delta', added: [], removed: ['10.1.0.0/16'] });
    expect(ops(take(table).rules)).to.include(`add-set ${KERNEL_NAME}-hosts`);
  });

  it('puts new ranges before the rules and takes old ones out behind them', () => {
    const table = loaded(['10.1.0.0/16']);
    change(table, looking(rule([], { kind: 'accept' })));
    sets(table, { type: 'delta', added: ['10.2.0.0/16'], removed: [] });
    expect(ops(take(table).before)).to.deep.equal([`add-elements ${KERNEL_NAME}`]);
    sets(table, { type: 'delta', added: [], removed: ['10.1.0.0/16'] });
    expect(ops(take(table).after)).to.deep.equal([`delete-elements ${KERNEL_NAME}`]);
  });

  it('lets a chain rest that nothing leads to any more, with its sets, and removes both when told to', () => {
    const table = loaded(['10.0.0.1']);
    const withoutA: Chain = { name: FORWARD.name, rules: FORWARD.rules.slice(1) };
    change(table, withoutA);
    remove(table, 'cali-pi-np/a');
    sets(table, { type: 'gone' });
    expect(ops(take(table).rules)).to.deep.equal([
      'flush-chain filter-cali-FORWARD',
      'add-rule filter-cali-FORWARD',
    ]);
    expect(table.resting).to.equal(2);
    expect(table.hasChanges).to.equal(false);
    expect(ops(take(table, true).rules)).to.deep.equal([
      'flush-chain filter-cali-pi-np/a',
      'delete-chain filter-cali-pi-np/a',
      `delete-set ${KERNEL_NAME}-hosts`,
    ]);
    expect(table.resting).to.equal(0);
    expect(take(table, true)).to.deep.equal({ before: [], rules: [], after: [] });
  });

  it('writes of what rested only what differs when it is wanted again, ranges before the rules', () => {
    for (const [before, since, added, removed] of [
      [['10.0.0.1', '10.0.0.2'], ['10.0.0.2', '10.0.0.3'], 'rules', 'rules'],
      [['10.1.0.0/16', '10.2.0.0/16'], ['10.2.0.0/16'], undefined, 'before'],
      [['10.1.0.0/16'], ['10.1.0.0/16', '10.2.0.0/16'], 'before', undefined],
    ] as const) {
      const table = loaded(before);
      change(table, { name: FORWARD.name, rules: FORWARD.rules.slice(1) });
      remove(table, 'cali-pi-np/a');
      sets(table, { type: 'gone' });
      take(table);
      sets(table, { type: 'whole', definition: SET, members: new Set(since) });
      change(table, FORWARD, looking());
      const stages = take(table);
      const places = (op: string): readonly string[] =>
        (['before', 'rules', 'after'] as const).filter((stage) =>
          stages[stage].some(({ operation }) => operation.op === op),
        );
      expect(places('add-elements')).to.deep.equal(added === undefined ? [] : [added]);
      expect(places('delete-elements')).to.deep.equal(removed === undefined ? [] : [removed]);
      expect(ops(stages.rules).filter((each) => each.includes('pi-np'))).to.deep.equal([]);
      for (const op of ['add-set', 'flush-set', 'delete-set', 'add-chain'])
        expect(places(op)).to.deep.equal([]);
      expect(table.resting).to.equal(0);
    }
  });

  it('takes a chain that packets come to away from the wrong place in the transaction that puts it right, and keeps the table', () => {
    const table = loaded(['10.0.0.1']);
    take(table);
    const base = { type: 'filter', hook: 'forward', priority: 7 } as const;
    table.hold({
      exists: true,
      chains: [{ name: 'filter-FORWARD', base }],
      rules: [],
      maps: new Map(),
      sets: new Map(),
    });
    const { rules } = take(table);
    const told = ops(rules).filter((each) => /filter-FORWARD|table/.test(each));
    expect(told.slice(0, 2)).to.deep.equal(['delete-chain filter-FORWARD', 'add-chain filter-FORWARD']);
    expect(told.join(' ')).to.not.include('delete-table');
  });

  it('lets no packet come to a first load before its last part', () => {
    const table = new NftTable(4, HOOKS);
    sets(table, { type: 'whole', definition: SET, members: new Set(['10.0.0.1']) });
    change(table, looking(), OTHER, FORWARD);
    expect(
      table.planFrame(['filter-cali-pi-np/a', 'filter-cali-pi-np/b', 'filter-cali-FORWARD']).filter(isHooked),
    ).to.deep.equal([]);
    const part = table.planPart();
    expect(ops(part)).to.include('add-rule filter-cali-pi-np/a');
    expect(part.filter(isHooked)).to.deep.equal([]);
    expect(ops(table.planHooks())).to.deep.equal(['add-chain filter-FORWARD', 'add-rule filter-FORWARD']);
  });

  it('lets nothing rest that it only found', () => {
    const table = loaded(['10.0.0.1']);
    change(table, { name: FORWARD.name, rules: FORWARD.rules.slice(1) });
    remove(table, 'cali-pi-np/a');
    take(table);
    table.hold({
      exists: true,
      chains: [{ name: 'filter-cali-pi-np/a' }],
      rules: [],
      maps: new Map(),
      sets: new Map(),
    });
    expect(ops(take(table).rules)).to.include('delete-chain filter-cali-pi-np/a');
    expect(table.resting).to.equal(0);
  });

  it('asks for a few ports by a rule each, for none of them in one rule, and for many by a set', () => {
    const ranges = [
      { first: 80, last: 80 },
      { first: 8000, last: 8010 },
      { first: 8005, last: 8020 },
    ];
    const asked = (more: object, count = 3): readonly string[] => {
      const table = loaded([]);
      const tcp = { kind: 'protocol', protocol: 'tcp' } as const;
      const many = Array.from({ length: count - 3 }, (_, i) => ({ first: 100 * i, last: 100 * i }));
      const ports = { kind: 'ports', side: 'destination', ranges: [...ranges, ...many], ...more } as const;
      change(table, {
        name: OTHER.name,
        rules: [rule([tcp, ports], { kind: 'accept' }), rule([], { kind: 'drop' })],
      });
      return take(table).rules.flatMap(({ operation }) =>
        operation.op === 'add-rule'
          ? [
              operation.rule.expressions
                .map(({ kind }) => kind)
                .slice(2, -1)
                .join(' '),
            ]
          : [],
      );
    };
    expect(asked({})).to.deep.equal(['payload cmp counter', 'payload range counter', '']);
    expect(asked({ not: true })).to.deep.equal(['payload cmp payload range payload range counter', '']);
    expect(asked({}, 9)).to.deep.equal(['payload lookup counter', '']);
    expect(asked({ not: true }, 9)).to.deep.equal(['payload lookup counter', '']);
  });

  it('drops at a chain of a user that the kernel refused, says so, and forgets it when the policy changes', () => {
    const table = new NftTable(4, HOOKS);
    sets(table, { type: 'whole', definition: SET, members: new Set() });
    change(table, FORWARD, looking(), OTHER);
    expect(table.mayRefuse('filter-cali-FORWARD')).to.equal(false);
    expect(table.mayRefuse('filter-cali-pi-np/a')).to.equal(true);
    table.setAside('filter-cali-pi-np/a', 'EINVAL');
    expect(table.mayRefuse('filter-cali-pi-np/a')).to.equal(false);
    const written = take(table).rules.flatMap(({ operation }) =>
      operation.op === 'add-rule' && operation.rule.chain === 'filter-cali-pi-np/a' ? [operation.rule] : [],
    );
    expect(written.map(({ expressions }) => expressions.at(-1))).to.deep.equal([
      { kind: 'verdict', verdict: { code: 'drop' } },
    ]);
    expect(table.problems.map(({ code, value }) => [code, value])).to.deep.equal([
      ['RULES_REFUSED', 'cali-pi-np/a'],
    ]);
    // Tried again, it is refused again, or taken.
    expect(table.tryAgain('new')).to.equal(0);
    expect(table.problems).to.have.length(1);
    table.tryAgain('all');
    expect(table.problems).to.deep.equal([]);
    expect(take(table).rules.some(({ operation }) => operation.op === 'add-rule')).to.equal(true);
    table.setAside('filter-cali-pi-np/a', 'EINVAL');
    change(table, looking(rule([], { kind: 'accept' })));
    expect(table.problems).to.deep.equal([]);
  });

  it('gives a set of another make a new name beside it, its ranges before the rules, and keeps the table', () => {
    const table = loaded(['10.0.0.0/24']);
    const sets = new Map([[KERNEL_NAME, { make: 'another', elements: [] }]]);
    table.hold({ exists: true, chains: [], rules: [], maps: new Map(), sets });
    const stages = take(table);
    const anew = `${KERNEL_NAME}-anew`;
    expect(ops(stages.before)).to.deep.equal([`add-set ${anew}`, `add-elements ${anew}`]);
    expect(ops(stages.rules)).to.not.include('delete-table');
    expect(ops(stages.rules).at(-1)).to.equal(`delete-set ${KERNEL_NAME}`);
    expect(
      JSON.stringify(
        stages.rules.map(({ operation }) => operation),
        (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each),
      ),
    ).to.include(`"set":"${anew}"`);
  });
});
