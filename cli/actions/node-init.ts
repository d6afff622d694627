/** node init: makes this machine's Node, or brings its addresses up to date. */
import { hostname } from 'node:os';
import { formatProblem } from '../../api/problem.ts';
import { Netlink } from '../../net/kernel/index.ts';
import { makeNode } from '../../node/addresses/node-resource.ts';
import { parseWishes, wishTexts } from '../../node/addresses/wishes.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { structured } from '../output/structured.ts';
import { withStore } from '../store.ts';
import type { nodeInitTable } from '../tables/node.ts';

export const nodeInit: Action<Arguments<typeof nodeInitTable>> = async (args, terminal) => {
  const { env } = terminal;
  const given = {
    ip: args.ip,
    ip6: args.ip6,
    method: args['ip-autodetection-method'],
    method6: args['ip6-autodetection-method'],
    asNumber: args.as,
  };
  const wishes = parseWishes(wishTexts(given, env));
  if (!wishes.ok) {
    for (const problem of wishes.problems) terminal.err(`${formatProblem(problem)}\n`);
    return EXIT.usage;
  }
  const name = args.name ?? env['NODENAME'] ?? env['POPLIN_NODE'] ?? hostname().toLowerCase();
  return withStore(
    args,
    terminal,
    async ({ client }) => {
      using netlink = Netlink.open();
      const made = await makeNode(name, wishes.value, client, netlink);
      if (!made.ok) {
        for (const problem of made.problems) terminal.err(`${formatProblem(problem)}\n`);
        return EXIT.failure;
      }
      const { node, change, problems } = made.value;
      for (const problem of problems) terminal.err(`${formatProblem(problem)}\n`);
      const { ipv4Address, ipv6Address, asNumber } = node.spec.bgp ?? {};
      const words = [ipv4Address, ipv6Address, asNumber === undefined ? undefined : `AS ${asNumber}`];
      const told = words.filter((word) => word !== undefined).join(', ');
      terminal.out(
        structured(node, args.output) ?? `Node ${name} ${change}${told === '' ? '' : `: ${told}`}\n`,
      );
      return problems.length === 0 ? EXIT.ok : EXIT.failure;
    },
    { create: true },
  );
};
