/**
 * Workloads that may send from other addresses than their own (`allowSpoofedSourcePrefixes`), where FelixConfiguration lets
 * them (`workloadSourceSpoofing: Any`): their packets pass the check of the way back. Policy is asked all the same.
 */
import type { IpVersion, Prefix } from '../../net/addr/index.ts';
import { type Chain, rule } from './types.ts';

export const RPF_SKIP = 'cali-rpf-skip';

/** @param sources  by the name of the interface */
export function rpfSkipChain(sources: ReadonlyMap<string, readonly Prefix[]>, version: IpVersion): Chain {
  const rules = [...sources]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, prefixes]) =>
      prefixes
        .filter((prefix) => prefix.version === version)
        .map((prefix) =>
          rule(
            [
              { kind: 'in-interface', name },
              { kind: 'net', side: 'source', net: prefix.toString() },
            ],
            { kind: 'accept' },
          ),
        ),
    );
  return { name: RPF_SKIP, rules };
}
