/** What a node can keep policy in, and the settings that choose it. */
import { NODE } from './node.ts';

export const BACKENDS = {
  'iptables NFT': { nftablesMode: 'Disabled', iptablesBackend: 'NFT' },
  'iptables Legacy': { nftablesMode: 'Disabled', iptablesBackend: 'Legacy' },
  nftables: { nftablesMode: 'Enabled' },
} as const;

export type BackendName = keyof typeof BACKENDS;

/** FelixConfiguration of the test's node. */
export function configurationOf(spec: object, annotations: object = {}): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'FelixConfiguration',
    metadata: { name: `node.${NODE}`, annotations },
    spec,
  };
}
