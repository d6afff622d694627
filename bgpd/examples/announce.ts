/** Announces one prefix to one peer until Ctrl-C. Run: node bgpd/examples/announce.ts PREFIX NEXT-HOP ADDRESS PORT AS */
import { openRouter, type Router, routerSetup, unwrap } from 'poplin/bgp';

export async function announce(
  prefix: string,
  nextHop: string,
  peer: { readonly address: string; readonly port: number; readonly asNumber: number },
): Promise<Router> {
  const { setup } = unwrap(
    routerSetup({
      asNumber: 64513,
      routerId: '192.0.2.11',
      // On no address: only our own call goes out.
      listen: { addresses: [] },
      originate: [{ prefix, communities: ['64513:1'] }],
      peers: [{ ...peer, import: ['reject-all'], export: ['via'] }],
      filters: { via: [{ action: 'accept', set: { nextHop } }] },
    }),
  );
  return openRouter(setup);
}

if (import.meta.main) {
  const [
    prefix = '203.0.113.0/24',
    nextHop = '192.0.2.11',
    address = '127.0.0.1',
    port = '1790',
    asNumber = '64512',
  ] = process.argv.slice(2);
  const peer = { address, port: Number(port), asNumber: Number(asNumber) };
  const router = await announce(prefix, nextHop, peer);
  process.once('SIGINT', () => router.close('the example ends'));
}
