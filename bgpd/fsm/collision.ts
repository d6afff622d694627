/** Connection collision detection, RFC 4271 §6.8 with the tie broken by AS number (RFC 6286 §2.3). */
import type { Initiator } from './step.ts';

/**
 * Two connections to one peer have both seen a valid OPEN. The one opened by the side with the higher BGP Identifier
 * stays; between equal identifiers, by the side with the higher AS number. Both sides come to the same answer.
 *
 * @returns who opened the connection that stays
 */
export function survivor(
  local: { readonly routerId: number; readonly asn: number },
  peer: { readonly routerId: number; readonly asn: number },
): Initiator {
  const dominant =
    local.routerId === peer.routerId ? local.asn > peer.asn : local.routerId >>> 0 > peer.routerId >>> 0;
  return dominant ? 'local' : 'peer';
}
