/**
 * Brings the limits of an endpoint to the kernel: when its workload is attached, and whenever they change afterwards (an
 * annotation of a pod, a WorkloadEndpoint that somebody edits). What was missed meanwhile the sweep makes good.
 */
import type { WorkloadEndpoint } from '../../api/index.ts';
import type { Cancel, Millis } from '../../clock/clock.ts';
import type { CniPorts } from './ports.ts';

/** The chain of plugins goes on for some milliseconds behind us, and may shape for itself; see `mayShapeAtOnce`. */
const SETTLE: Millis = 1000;

/** A workload starts without its limits rather than not at all, as with Calico. Never rejects. */
export async function shape(
  { host, log }: Pick<CniPorts, 'host' | 'log'>,
  { spec }: WorkloadEndpoint,
): Promise<void> {
  const { interfaceName, qosControls = {} } = spec;
  if (interfaceName === undefined) return;
  try {
    for (const what of await host.shaper.change(interfaceName, qosControls)) log.warn({}, what);
  } catch (error) {
    log.warn({ interface: interfaceName, error: String(error) }, 'a workload could not be limited');
  }
}

/** @returns ends it */
export function keepLimits(ports: Pick<CniPorts, 'host' | 'inventory' | 'clock' | 'log'>): Cancel {
  const changed = new Map<string, WorkloadEndpoint>();
  let soon: Cancel | undefined;
  const settle = (): void => {
    soon = undefined;
    for (const endpoint of changed.values()) void shape(ports, endpoint);
    changed.clear();
  };
  const unfollow = ports.inventory.onEndpoints((endpoint) => {
    const { spec } = endpoint;
    if (spec.interfaceName === undefined) return;
    changed.set(spec.interfaceName, endpoint);
    soon ??= ports.clock.after(SETTLE, 'limits of endpoints', settle);
  });
  return () => {
    unfollow();
    soon?.();
  };
}
