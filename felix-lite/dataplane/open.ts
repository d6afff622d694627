/** Makes the dataplane of a chosen backend. */
import type { IpVersion } from '../../net/addr/index.ts';
import { type RulesOptions, RuleTables, TABLES } from '../rules/tables.ts';
import type { ChosenBackend } from './backend.ts';
import { CuttingDataplane } from './connections/cutting.ts';
import type { Dataplane } from './dataplane.ts';
import { kernelIpsets } from './ipset/sets.ts';
import { IptablesDataplane } from './iptables/dataplane.ts';
import { watchedIptables } from './iptables/io.ts';
import {
  ipsetLeftovers,
  iptablesLeftovers,
  type Leftover,
  Leftovers,
  nftablesLeftovers,
  UNUSED,
} from './leftovers.ts';
import { NftDataplane } from './nftables/dataplane.ts';

export interface DataplaneOptions {
  readonly rules: RulesOptions;
  /** As {@link ruleTables} makes them; for who wants to know what is in them. */
  readonly tables?: RuleTables;
  readonly versions: readonly IpVersion[];
  /** Path of a network namespace; default: ours. */
  readonly netns: string | undefined;
  /** Of an ipset at first; one that needs more is made anew. */
  readonly maxSetSize?: number;
  /** End connections that policy allowed once and denies by now. */
  readonly cutDenied?: boolean;
  /** Somebody else has changed rules of ours. */
  readonly onEdited?: (() => void) | undefined;
}

export function ruleTables({ use }: ChosenBackend, options: RulesOptions): RuleTables {
  return new RuleTables(options, use === 'nftables' ? 'map' : 'tree');
}

export function openDataplane(chosen: ChosenBackend, options: DataplaneOptions): Dataplane {
  const rules = options.tables ?? ruleTables(chosen, options.rules);
  const inner = openBackend(chosen, options, rules);
  if (options.cutDenied !== true) return inner;
  const { versions, netns } = options;
  const { interfacePrefix } = options.rules;
  return new CuttingDataplane({ inner, rules, versions, netns, interfacePrefix });
}

function openBackend(
  { use, abandon, problems }: ChosenBackend,
  { versions, netns, maxSetSize, onEdited }: DataplaneOptions,
  rules: RuleTables,
): Dataplane {
  const abandoned = abandon.flatMap((each): readonly Leftover[] =>
    each === 'nftables' ? nftablesLeftovers(netns, versions) : iptablesLeftovers(each, netns, versions),
  );
  if (use === 'nftables') {
    // Sets behind the rules that look into them.
    const leftovers = new Leftovers(abandoned, [ipsetLeftovers(netns)]);
    return new NftDataplane({ rules, versions, netns, leftovers, onEdited });
  }
  const options = { netns, backend: use };
  return new IptablesDataplane({
    rules,
    versions,
    iptables: watchedIptables(options, [...TABLES, ...UNUSED], onEdited ?? (() => undefined)),
    ipset: kernelIpsets({ netns }),
    leftovers: new Leftovers([
      ...versions.flatMap((version) =>
        iptablesLeftovers(
          use,
          netns,
          [version],
          UNUSED.filter((table) => !rules.tables(version).includes(table)),
        ),
      ),
      ...abandoned,
    ]),
    problems,
    ...(maxSetSize === undefined ? {} : { maxSetSize }),
  });
}
