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

function sets(table: NftTable, each: SetChange): void {
  table.updateSets(new Map([[SET.id, each]]));
}

/** As if the kernel had taken it, every rule getting a handle. */
function take(table: NftTable): Stages {
  const stages = table.plan();
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
    expect(ops(rules)).to.deep.equal([
      'flush-chain filter-cali-pi-np/a',
      'add-rule filter-cali-pi-np/a',
      `delete-set ${KERNEL_NAME}-hosts`,
    ]);
    expect(after).to.deep.equal([]);
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
    table.hold({ exists: true, chains: [], rules: [], maps: new Map(), sets, foreign: false });
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
