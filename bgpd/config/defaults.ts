/** What router.yaml need not say. The schema prints these, and the conversion fills them in. */
import type { Family } from '../wire/types.ts';

export const DEFAULTS = {
  listen: { port: 179 },
  kernelExport: false,
  controlSocket: '/run/poplin/bgpd.sock',
  dynamicLimit: 1000,
  peer: {
    port: 179,
    passive: false,
    /** RFC 4271 §5.1.3 and every router: an external peer is one hop away. */
    externalTtl: 1,
    families: ['ipv4-unicast', 'ipv6-unicast'] satisfies readonly Family[],
    routeReflectorClient: false,
    nextHop: 'auto',
    allowOwnAs: 0,
    enforceFirstAs: true,
    rejectAsSets: false,
    requirePolicy: true,
  },
  timers: { holdSeconds: 90, connectRetrySeconds: 5, delayOpenSeconds: 0, advertisementIntervalSeconds: 0 },
  gracefulRestart: { enabled: true, restartSeconds: 120, maxStaleSeconds: 4095 },
} as const;
