/** Decodes one BGP message, no socket anywhere. Run: node bgpd/examples/decode.ts HEX */
import { type Decoded, decodeMessage, formatAsPath, formatFaults, type Negotiated } from 'poplin/bgp';

/** What the two OPENs have settled; an UPDATE cannot be read without it. */
const SESSION: Negotiated = {
  peerAsn: 65001,
  peerRouterId: 0xc0000201,
  internal: false,
  holdSeconds: 90,
  keepaliveSeconds: 30,
  families: ['ipv4-unicast', 'ipv6-unicast'],
  fourOctetAs: true,
  extendedMessages: false,
  routeRefresh: true,
  enhancedRefresh: false,
  addPathReceive: [],
  addPathSend: [],
};

/** One line for people, of any message. */
export function describe(hex: string): string {
  const decoded: Decoded = decodeMessage(Buffer.from(hex, 'hex'), SESSION);
  if (!decoded.ok)
    return `refused: NOTIFICATION ${decoded.notification.code}/${decoded.notification.subcode}`;
  const { message, faults } = decoded;
  if (message?.type !== 'update') return message?.type ?? 'nothing';
  const routes = message.reach.flatMap(({ nlri, nextHop }) =>
    nlri.map(({ prefix }) => `+${prefix.toString()} via ${nextHop.address.toString()}`),
  );
  const gone = message.unreach.flatMap(({ nlri }) => nlri.map(({ prefix }) => `-${prefix.toString()}`));
  const path = message.attributes === undefined ? '' : `path ${formatAsPath(message.attributes.asPath)}`;
  return ['update', ...routes, ...gone, path, formatFaults(faults)].filter((part) => part !== '').join(' ');
}

/** 10.50.0.0/24 by way of 192.0.2.1, from AS 65001. */
const UPDATE =
  'ffffffffffffffffffffffffffffffff002f02000000144001010040020602010000fde9400304c0000201180a3200';

if (import.meta.main) console.log(describe(process.argv[2] ?? UPDATE));
