/** Rules that choose a routing table, on the real kernel. */
import { expect } from 'chai';
import { describeOnKernel, freshNamespace } from '../testing.ts';
import { Netlink } from './netlink.ts';
import type { Rule } from './rule.ts';

describeOnKernel('Netlink: rules', () => {
  const here = freshNamespace();
  let kernel: Netlink;
  beforeEach(() => (kernel = Netlink.open({ netns: here.path() })));
  afterEach(() => kernel.close());

  for (const version of [4, 6] as const)
    it(`makes, lists and removes those of IPv${version}, and reads what others made`, async () => {
      const rule: Rule = {
        version,
        priority: 99,
        table: 1000,
        mark: 0x20_0000,
        mask: 0x20_0000,
        not: true,
        protocol: 81,
        other: false,
      };
      expect(await kernel.addRule(rule)).to.equal(true);
      expect(await kernel.addRule(rule), 'again').to.equal(false);
      const shown = await here.ip(`-${version}`, 'rule', 'show', 'priority', '99');
      expect(shown.trim()).to.equal('99:\tnot from all fwmark 0x200000/0x200000 lookup 1000 proto 81');
      expect(await kernel.listRules(version)).to.deep.include(rule);
      expect(await kernel.deleteRule(rule)).to.equal(true);
      expect(await kernel.deleteRule(rule), 'gone').to.equal(false);

      await here.ip(`-${version}`, 'rule', 'add', 'priority', '7', 'iif', 'lo', 'table', '5');
      await here.ip(`-${version}`, 'rule', 'add', 'priority', '8', 'prohibit');
      const others = (await kernel.listRules(version)).filter(
        ({ priority }) => priority === 7 || priority === 8,
      );
      expect(others.map(({ other }) => other)).to.deep.equal([true, true]);
    });
});
