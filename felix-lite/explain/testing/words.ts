/** What the words for traffic mean, found anew from the text alone. */
import type { Packet } from '../packet.ts';

/** Whether words like `TCP 1-79 (IPv4)` or `all but UDP` speak of a packet of TCP, UDP or SCTP. */
export function speaksOf(traffic: readonly string[], packet: Packet): boolean {
  const names: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
  const version = packet.source.version;
  return traffic.some((whole) => {
    const only = / \(IPv([46])\)$/.exec(whole)?.[1];
    if (only !== undefined && Number(only) !== version) return false;
    const text = whole.replace(/ \(IPv[46]\)$/, '');
    const but = /^all but (.*)$/.exec(text)?.[1];
    if (but !== undefined) return !but.split(', ').some((word) => isIn(word, packet, names));
    return text === 'all traffic' || isIn(text, packet, names);
  });
}

function isIn(word: string, packet: Packet, names: Readonly<Record<number, string>>): boolean {
  const [protocol, ports] = word.split(' ');
  const [first = 1, last = ports === undefined ? 65_535 : first] = (ports ?? '')
    .split('-')
    .filter(Boolean)
    .map(Number);
  const port = packet.destinationPort ?? 0;
  return names[packet.protocol] === protocol && first <= port && port <= last;
}
