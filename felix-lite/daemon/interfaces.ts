/** The addresses of a node's interfaces, kept up to date: host endpoints may be known by them. */
import type { Cancel } from '../../clock/clock.ts';
import { Netlink } from '../../net/kernel/index.ts';
import type { InterfaceAddresses } from '../calc/local-hosts.ts';

/** Events come in bursts, an interface and its addresses one by one; this much is waited for the rest. */
const GATHER_MS = 20;

/**
 * Reads them once and then after every change.
 *
 * @param netns  path of a network namespace; default: ours
 * @param told  called with all of them; not again where nothing is different
 */
export async function watchInterfaces(
  netns: string | undefined,
  told: (interfaces: InterfaceAddresses) => void,
): Promise<Cancel> {
  const netlink = Netlink.open({ netns });
  let last = '';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const read = async (): Promise<void> => {
    const interfaces = await readInterfaces(netlink);
    const text = JSON.stringify([...interfaces]);
    if (closed || text === last) return;
    last = text;
    told(interfaces);
  };
  // Listening begins before the first look, so that nothing falls in between.
  const stop = netlink.subscribe(['link', 'address'], () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      // A socket that is closed meanwhile, or an interface that goes while it is read: the next event looks again.
      void read().catch(() => undefined);
    }, GATHER_MS);
  });
  await read();
  return () => {
    closed = true;
    clearTimeout(timer);
    stop();
    netlink.close();
  };
}

async function readInterfaces(netlink: Netlink): Promise<InterfaceAddresses> {
  const [links, addresses] = [await netlink.listLinks(), await netlink.listAddresses()];
  const byLink = Map.groupBy(addresses, ({ link }) => link);
  return new Map(
    links.map(({ index, name }) => [
      name,
      (byLink.get(index) ?? []).map(({ address }) => address.toString()).sort(),
    ]),
  );
}
