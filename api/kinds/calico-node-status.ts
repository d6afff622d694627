/** CalicoNodeStatus: asks a node's agent to report on itself; the report is in `status`. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { name } from '../schema/names.ts';
import { integer } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';

const spec = rules(
  z.strictObject({
    node: name(),
    classes: z
      .array(z.enum(['Agent', 'BGP', 'Routes']))
      .min(1)
      .max(3),
    /** Seconds between reports; 0: no more of them. */
    updatePeriodSeconds: integer(0, 86_400).prefault(10),
  }),
  function* ({ classes }): Generator<Complaint> {
    if (new Set(classes).size === classes.length) return;
    yield { path: ['classes'], what: `${classes.join(', ')} names a class twice`, remedy: 'name each once' };
  },
);

const text = () => z.exactOptional(z.string());
const count = () => z.exactOptional(z.number());

const daemon = z.strictObject({
  state: text(),
  version: text(),
  routerID: text(),
  lastBootTime: text(),
  lastReconfigurationTime: text(),
});

const peers = z.array(z.strictObject({ peerIP: text(), type: text(), state: text(), since: text() }));

const routes = z.array(
  z.strictObject({
    type: text(),
    destination: text(),
    gateway: text(),
    interface: text(),
    learnedFrom: z.exactOptional(z.strictObject({ sourceType: text(), peerIP: text() })),
  }),
);

/** Written by agents: any text is taken. */
const status = z.strictObject({
  lastUpdated: text(),
  agent: z.exactOptional(
    z.strictObject({ birdV4: z.exactOptional(daemon), birdV6: z.exactOptional(daemon) }),
  ),
  bgp: z.exactOptional(
    z.strictObject({
      numberEstablishedV4: count(),
      numberNotEstablishedV4: count(),
      numberEstablishedV6: count(),
      numberNotEstablishedV6: count(),
      peersV4: z.exactOptional(peers),
      peersV6: z.exactOptional(peers),
    }),
  ),
  routes: z.exactOptional(
    z.strictObject({ routesV4: z.exactOptional(routes), routesV6: z.exactOptional(routes) }),
  ),
});

export const calicoNodeStatus = {
  kind: 'CalicoNodeStatus',
  plural: 'caliconodestatuses',
  shortNames: ['nodestatus', 'nodestatuses'],
  namespaced: false,
  schema: resource('CalicoNodeStatus', spec).extend({ status: z.exactOptional(status) }),
} as const satisfies KindNames<'CalicoNodeStatus'> & { schema: z.ZodType };

export type CalicoNodeStatus = z.output<typeof calicoNodeStatus.schema>;
