/** The OPEN we send: what we are, and what we can. */
import { BGP_VERSION } from '../wire/open.ts';
import { FAMILIES, type Capability, type Family, type OpenMessage } from '../wire/types.ts';

export interface OpenConfig {
  readonly localAsn: number;
  readonly routerId: number;
  readonly holdSeconds: number;
  readonly families: readonly Family[];
  readonly gracefulRestart?: { readonly restartSeconds: number };
}

/** What is true at this moment of a speaker that can restart gracefully (RFC 4724 §3). */
export interface RestartState {
  /** R bit: we have restarted, and not yet sent every End-of-RIB. */
  readonly restarting: boolean;
  /** F bit: the family's forwarding state has survived, as the kernel shows, not as we hope. */
  forwarding(family: Family): boolean;
}

export function openMessage(config: OpenConfig, restart: RestartState): OpenMessage {
  const { localAsn, routerId, holdSeconds, families, gracefulRestart } = config;
  const capabilities: Capability[] = [
    ...families.map(
      (family) => ({ code: 1, afi: FAMILIES[family].afi, safi: FAMILIES[family].safi }) as const,
    ),
    { code: 2 },
    { code: 6 },
  ];
  if (gracefulRestart !== undefined) {
    capabilities.push({
      code: 64,
      restarting: restart.restarting,
      notification: false,
      restartSeconds: gracefulRestart.restartSeconds,
      families: families.map((family) => ({ family, forwarding: restart.forwarding(family) })),
    });
  }
  capabilities.push({ code: 65, asn: localAsn });
  return { type: 'open', version: BGP_VERSION, asn: localAsn, holdSeconds, routerId, capabilities };
}
