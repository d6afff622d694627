/** The screens of `bgp neighbors` and `bgp neighbor`. */
import type { ErrorView, NeighbourView, PeerView } from '../../bgpd/speaker/view.ts';
import { duration } from './node-status.ts';
import { columns } from './table.ts';

export function drawNeighbors(peers: readonly PeerView[]): string {
  if (peers.length === 0) return 'No neighbors are configured.\n';
  const headings = ['NEIGHBOR', 'ADDRESS', 'AS', 'STATE', 'SINCE', 'RECEIVED', 'ADVERTISED', 'LAST ERROR'];
  const rows = peers.map((peer) => [
    peer.name,
    peer.port === 179 ? peer.address : `${peer.address} port ${peer.port}`,
    peer.asn === undefined ? 'any' : String(peer.asn),
    peer.state,
    duration(peer.sinceSeconds),
    peer.prefixesAccepted === peer.prefixesReceived
      ? String(peer.prefixesReceived)
      : `${peer.prefixesAccepted} of ${peer.prefixesReceived}`,
    String(peer.prefixesAdvertised),
    peer.lastError ?? '',
  ]);
  return columns(headings, rows);
}

export function drawNeighbor(view: NeighbourView & { readonly node?: string }): string {
  const { settled, counters } = view;
  const lines: Line[] = [
    ...(view.node === undefined ? [] : [['Node', view.node] as const]),
    ['Neighbor', view.description === undefined ? view.name : `${view.name} (${view.description})`],
    [
      'Address',
      `${view.address} port ${view.port}${view.localAddress === undefined ? '' : `, from ${view.localAddress}`}`,
    ],
    [
      'AS',
      `${view.asn ?? 'any'}, ${view.kind}; ours is ${view.localAsn}${view.reflectorClient ? '; our reflector client' : ''}`,
    ],
    ['Router id', `${view.routerId ?? 'not heard yet'}; ours is ${view.localRouterId}`],
    ['State', `${view.state} since ${view.since} (${duration(view.sinceSeconds)})`],
    ...(settled === undefined
      ? []
      : [
          [
            'Settled',
            [
              settled.holdSeconds === 0
                ? 'no hold time'
                : `hold time ${settled.holdSeconds} s, keepalive ${settled.keepaliveSeconds} s`,
              `${settled.fourOctetAs ? 4 : 2}-octet AS numbers`,
              ...(settled.extendedMessages ? ['long messages'] : []),
              ...settled.addPathReceive.map((family) => `path ids from the neighbor in ${family}`),
              ...settled.addPathSend.map((family) => `path ids to the neighbor in ${family}`),
            ].join(', '),
          ] as const,
        ]),
    ['Last error sent', drawError(view.lastErrorSent)],
    ['Last error received', drawError(view.lastErrorReceived)],
    ['Last end', view.lastEnd === undefined ? 'none' : `${view.lastEnd.at}: ${view.lastEnd.text}`],
  ];
  return [
    ...lines.map(([name, value]) => `${`${name}:`.padEnd(22)}${value}\n`),
    '\nCapabilities\n',
    drawCapabilities(view.capabilities),
    '\nRoutes\n',
    columns(
      ['  FAMILY', 'RECEIVED', 'ACCEPTED', 'REFUSED', 'STALE', 'ADVERTISED'],
      view.routes.map((each) => [
        `  ${each.family}`,
        ...[each.received, each.accepted, each.rejected, each.stale, each.advertised].map(String),
      ]),
    ),
    ...view.limits.map(
      ({ family, limit, count, state }) =>
        `  limit of ${family}: ${count} of ${limit.max}, ${state}, then ${limit.action}\n`,
    ),
    '\nCounters\n',
    columns(
      ['', 'IN', 'OUT'],
      [
        ['  messages', String(counters.messagesIn), String(counters.messagesOut)],
        ['  updates', String(counters.updatesIn), String(counters.updatesOut)],
      ],
    ),
    `  sessions established: ${counters.establishedTransitions}\n`,
    `  updates treated as withdraw: ${counters.treatedAsWithdraw}, attributes discarded: ${counters.attributesDiscarded} (RFC 7606)\n`,
    '\nTimers\n',
    ...(view.timers.length === 0 ? ['  none runs\n'] : []),
    ...view.timers.map(({ name, inSeconds }) => `  ${name} in ${inSeconds} s\n`),
  ].join('');
}

type Line = readonly [name: string, value: string];

function drawError(error: ErrorView | undefined): string {
  return error === undefined ? 'none' : `${error.at}: ${error.text}`;
}

/** Side by side, so that what only one offers is seen at once. */
function drawCapabilities({ sent, received }: NeighbourView['capabilities']): string {
  if (sent === undefined && received === undefined) return '  no OPEN was exchanged yet\n';
  const names = new Set([...(sent ?? []), ...(received ?? [])].map(nameOf));
  const cell = (side: readonly Capability[] | undefined, name: string): string => {
    const of = side?.filter((each) => nameOf(each) === name) ?? [];
    return of.length === 0 ? '-' : of.map(detail).join(', ');
  };
  const rows = [...names].map((name) => [`  ${name}`, cell(sent, name), cell(received, name)]);
  return columns(['  CAPABILITY', 'SENT', 'RECEIVED'], rows);
}

type Capability = NonNullable<NeighbourView['capabilities']['sent']>[number];

function nameOf({ code, name }: Capability): string {
  return name === 'unknown' ? `code ${code}` : name;
}

interface OfFamily {
  readonly family: string;
  readonly forwarding?: boolean;
  readonly send?: boolean;
  readonly receive?: boolean;
}

function detail(capability: Capability): string {
  const { code: _code, name, ...rest } = capability;
  const { family, families, asn, restartSeconds, restarting } = rest;
  if (name === 'multiprotocol') return String(family);
  if (name === 'four-octet-as') return `AS ${String(asn)}`;
  const listed = Array.isArray(families) ? (families as OfFamily[]).map(ofFamily) : [];
  if (name === 'graceful-restart')
    return [`${String(restartSeconds)} s`, ...(restarting === true ? ['has restarted'] : []), ...listed].join(
      ', ',
    );
  if (name === 'add-path') return listed.join(', ');
  return Object.keys(rest).length === 0 ? 'yes' : JSON.stringify(rest);
}

function ofFamily({ family, forwarding, send, receive }: OfFamily): string {
  if (forwarding !== undefined) return forwarding ? `${family} kept` : `${family} not kept`;
  return `${family} ${send === true ? (receive === true ? 'both ways' : 'send') : 'receive'}`;
}
