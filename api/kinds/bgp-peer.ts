/** BGPPeer: which nodes peer with whom, and how. */
import { z } from 'zod';
import { Address } from '../../net/addr/index.ts';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { duration } from '../schema/duration.ts';
import { name } from '../schema/names.ts';
import { address, asNumber, parsePeerAddress, peerAddress } from '../schema/network.ts';
import { integer, selector } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { secretKeyRef } from './secret.ts';

const fields = z.strictObject({
  node: z.exactOptional(name()),
  nodeSelector: z.exactOptional(selector()),
  peerIP: z.exactOptional(peerAddress()),
  asNumber: z.exactOptional(asNumber()),
  peerSelector: z.exactOptional(selector()),
  localWorkloadSelector: z.exactOptional(selector()),
  localASNumber: z.exactOptional(asNumber()),
  keepOriginalNextHop: z.exactOptional(z.boolean()),
  nextHopMode: z.exactOptional(z.enum(['Auto', 'Self', 'Keep'])),
  password: z.exactOptional(z.strictObject({ secretKeyRef: z.exactOptional(secretKeyRef) })),
  sourceAddress: z.exactOptional(z.enum(['UseNodeIP', 'None'])),
  maxRestartTime: z.exactOptional(duration()),
  keepaliveTime: z.exactOptional(duration()),
  numAllowedLocalASNumbers: z.exactOptional(integer(0, 0x7fff_ffff)),
  /** Hops away at most (GTSM, RFC 5082). */
  ttlSecurity: z.exactOptional(integer(0, 255)),
  filters: z.exactOptional(z.array(name())),
  reachableBy: z.exactOptional(address()),
  reversePeering: z.exactOptional(z.enum(['Auto', 'Manual'])),
});

type BGPPeerSpec = z.output<typeof fields>;

const spec = rules(fields, peerComplaints);

function* peerComplaints(spec: BGPPeerSpec): Generator<Complaint> {
  yield* exclusive(spec, 'node', 'nodeSelector');
  yield* exclusive(spec, 'peerIP', 'peerSelector');
  yield* exclusive(spec, 'asNumber', 'peerSelector');
  yield* exclusive(spec, 'peerIP', 'localWorkloadSelector');
  yield* exclusive(spec, 'peerSelector', 'localWorkloadSelector');
  if (!given(spec.peerIP) && !given(spec.peerSelector) && !given(spec.localWorkloadSelector)) {
    yield {
      path: ['peerIP'],
      what: 'nothing says whom to peer with',
      remedy: 'set peerIP and asNumber, or peerSelector',
    };
  }
  for (const field of ['peerIP', 'localWorkloadSelector'] as const) {
    if (!given(spec[field]) || spec.asNumber !== undefined) continue;
    yield {
      path: ['asNumber'],
      what: `${field} is set, but not the peer's AS number`,
      remedy: 'add asNumber',
    };
  }
  if (spec.keepOriginalNextHop === true && spec.nextHopMode !== undefined) {
    yield {
      path: ['keepOriginalNextHop'],
      what: 'nextHopMode is set too',
      remedy: 'remove keepOriginalNextHop, which it replaces',
    };
  }
  yield* reachableByComplaints(spec);
}

function* reachableByComplaints({ reachableBy, peerIP }: BGPPeerSpec): Generator<Complaint> {
  if (reachableBy === undefined) return;
  const peer = peerIP === undefined ? undefined : parsePeerAddress(peerIP);
  if (peer === undefined) {
    yield {
      path: ['reachableBy'],
      what: 'a gateway without a peer behind it',
      remedy: 'set peerIP, or remove reachableBy',
    };
  } else if (Address.parse(reachableBy)?.version !== peer.address.version) {
    yield {
      path: ['reachableBy'],
      what: `${quote(reachableBy)} and peerIP are of different IP versions`,
      remedy: 'use one version',
    };
  }
}

function* exclusive(
  spec: BGPPeerSpec,
  field: keyof BGPPeerSpec,
  other: keyof BGPPeerSpec,
): Generator<Complaint> {
  if (!given(spec[field]) || !given(spec[other])) return;
  yield {
    path: [field],
    what: `${other} is set too, and the two exclude each other`,
    remedy: `remove ${field} or ${other}`,
  };
}

/** Empty text counts as unset: Go's tools write it so. */
function given(value: unknown): boolean {
  return value !== undefined && value !== '';
}

export const bgpPeer = {
  kind: 'BGPPeer',
  plural: 'bgppeers',
  shortNames: ['bgpp', 'bgpps', 'bp', 'bps'],
  namespaced: false,
  schema: resource('BGPPeer', spec),
} as const satisfies KindNames<'BGPPeer'> & { schema: z.ZodType };

export type BGPPeer = z.output<typeof bgpPeer.schema>;
