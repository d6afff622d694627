/**
 * Capabilities of the OPEN message: RFC 5492 (form), 4760, 2918, 8654, 4724 and 8538, 6793, 7911, 7313.
 * One that we do not know is kept as it came. One that is known but cut short makes the OPEN malformed.
 */
import { Reader } from './reader.ts';
import { FAMILIES, familyOf, type Capability, type Family } from './types.ts';
import type { Writer } from './writer.ts';

export const CAPABILITY = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedMessage: 6,
  gracefulRestart: 64,
  fourOctetAs: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
} as const;

/** Why the octets are no capability list, with the offset where that shows. */
export interface CapabilityError {
  readonly what: string;
  readonly offset: number;
}

/** Appends the capabilities of one optional parameter. */
export function decodeCapabilities(r: Reader, into: Capability[]): CapabilityError | undefined {
  while (r.remaining > 0) {
    const offset = r.at;
    const code = r.u8();
    const length = r.u8();
    const value = r.slice(length);
    if (r.overrun) return { what: `capability ${code} runs past its optional parameter`, offset };
    const capability = decodeOne(code, value);
    if (capability === undefined) return { what: `capability ${code} has ${length} octets`, offset };
    into.push(capability);
  }
  return undefined;
}

/** @returns undefined when the length is not one that the capability can have */
function decodeOne(code: number, r: Reader): Capability | undefined {
  switch (code) {
    case CAPABILITY.multiprotocol: {
      if (r.remaining !== 4) return undefined;
      const afi = r.u16();
      r.u8();
      return { code, afi, safi: r.u8() };
    }
    // No value is defined for these three; octets there are no harm, as RFC 5492 lets definitions grow.
    case CAPABILITY.routeRefresh:
    case CAPABILITY.extendedMessage:
    case CAPABILITY.enhancedRouteRefresh:
      return { code };
    case CAPABILITY.gracefulRestart:
      return decodeGracefulRestart(r);
    case CAPABILITY.fourOctetAs:
      return r.remaining === 4 ? { code, asn: r.u32() } : undefined;
    case CAPABILITY.addPath:
      return decodeAddPath(r);
    default:
      return { code: 'unknown', number: code, value: r.take(r.remaining).slice() };
  }
}

/** RFC 4724 §3: flags and time in 2 octets, then 4 octets for each family. */
function decodeGracefulRestart(r: Reader): Capability | undefined {
  if (r.remaining % 4 !== 2) return undefined;
  const head = r.u16();
  const families: { family: Family; forwarding: boolean }[] = [];
  while (r.remaining > 0) {
    const family = familyOf(r.u16(), r.u8());
    const forwarding = (r.u8() & 0x80) !== 0;
    if (family !== undefined) families.push({ family, forwarding });
  }
  return {
    code: CAPABILITY.gracefulRestart,
    restarting: (head & 0x8000) !== 0,
    notification: (head & 0x4000) !== 0,
    restartSeconds: head & 0x0fff,
    families,
  };
}

/** RFC 7911 §4: a tuple whose Send/Receive is not 1, 2 or 3 is ignored. */
function decodeAddPath(r: Reader): Capability | undefined {
  if (r.remaining % 4 !== 0) return undefined;
  const families: { family: Family; send: boolean; receive: boolean }[] = [];
  while (r.remaining > 0) {
    const family = familyOf(r.u16(), r.u8());
    const mode = r.u8();
    if (family === undefined || mode < 1 || mode > 3) continue;
    families.push({ family, send: (mode & 2) !== 0, receive: (mode & 1) !== 0 });
  }
  return { code: CAPABILITY.addPath, families };
}

/** Code, length, value. @throws RangeError when a value is longer than 255 octets, which no peer could read */
export function encodeCapability(w: Writer, capability: Capability): void {
  w.u8(capability.code === 'unknown' ? capability.number : capability.code).u8(0);
  const start = w.length;
  encodeValue(w, capability);
  const length = w.length - start;
  if (length > 255)
    throw new RangeError(`capability ${capability.code} has ${length} octets; 255 is the most`);
  w.patch8(start - 1, length);
}

function encodeValue(w: Writer, capability: Capability): void {
  switch (capability.code) {
    case 1:
      w.u16(capability.afi).u8(0).u8(capability.safi);
      return;
    case 2:
    case 6:
    case 70:
      return;
    case 64:
      w.u16(
        (capability.restarting ? 0x8000 : 0) |
          (capability.notification ? 0x4000 : 0) |
          Math.min(capability.restartSeconds, 0x0fff),
      );
      for (const { family, forwarding } of capability.families) {
        w.u16(FAMILIES[family].afi)
          .u8(FAMILIES[family].safi)
          .u8(forwarding ? 0x80 : 0);
      }
      return;
    case 65:
      w.u32(capability.asn);
      return;
    case 69:
      for (const { family, send, receive } of capability.families) {
        if (!send && !receive) continue;
        w.u16(FAMILIES[family].afi)
          .u8(FAMILIES[family].safi)
          .u8((send ? 2 : 0) | (receive ? 1 : 0));
      }
      return;
    case 'unknown':
      w.put(capability.value);
  }
}
