/** What the CNI operations work on, handed in as one piece. */
import type { Clock, Millis } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import type { ResourceClient } from '../../datastore/index.ts';
import type { Ipam } from '../../ipam/index.ts';
import type { Inventory } from '../inventory.ts';
import type { EndpointStatusFolder } from './endpoint-status.ts';
import type { UplinkMtu } from './mtu.ts';
import type { Host } from './wiring.ts';

export interface CniPorts {
  readonly node: string;
  readonly client: ResourceClient;
  readonly ipam: Ipam;
  readonly inventory: Inventory;
  readonly host: Host;
  readonly mtu: UplinkMtu;
  readonly status: EndpointStatusFolder;
  readonly clock: Clock;
  readonly log: Log;
  /** How long ADD waits for felix-lite before it lets the workload start all the same, as Calico does. */
  readonly policyWait: Millis;
}
