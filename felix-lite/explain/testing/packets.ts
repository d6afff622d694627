/** Random packets between the addresses of random clusters and a few outside. */
import fc from 'fast-check';
import { Address, type IpVersion } from '../../../net/addr/index.ts';
import type { Packet } from '../packet.ts';

export const packet: fc.Arbitrary<Packet> = fc
  .record({
    version: fc.constantFrom<IpVersion>(4, 6),
    source: fc.constantFrom(0, 1, 2, 3, 9, 200),
    destination: fc.constantFrom(0, 1, 2, 3, 9, 200),
    protocol: fc.constantFrom('tcp', 'tcp', 'udp', 'sctp', 'icmp', 'other'),
    port: fc.constantFrom(22, 53, 80, 85, 443, 4789, 8000, 8005, 8010, 9999),
    sourcePort: fc.constantFrom(80, 53, 22, 40000),
    other: fc.constantFrom(4, 89, 1, 58),
    icmpType: fc.constantFrom(0, 8, 128, 129, 135),
  })
  .map(({ version, source, destination, protocol, port: destinationPort, sourcePort, other, icmpType }) => {
    const ends = { source: address(version, source), destination: address(version, destination) };
    const number = new Map([
      ['tcp', 6],
      ['udp', 17],
      ['sctp', 132],
    ]).get(protocol);
    if (number !== undefined) return { ...ends, protocol: number, sourcePort, destinationPort };
    if (protocol === 'icmp') return { ...ends, protocol: version === 4 ? 1 : 58, icmpType, icmpCode: 0 };
    return { ...ends, protocol: other };
  });

function address(version: IpVersion, index: number): Address {
  const inside = index < 100;
  const text =
    version === 4 ? (inside ? `10.0.0.${index}` : '192.0.2.7') : inside ? `fd00::${index}` : '2001:db8::7';
  const parsed = Address.parse(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}
