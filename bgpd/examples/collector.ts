/** A route collector: takes what its peers say, and says nothing itself. Run: node bgpd/examples/collector.ts PORT ADDRESS AS */
import { openRouter, type Router, routerSetup, unwrap } from 'poplin/bgp';

export async function collect(
  peer: { readonly address: string; readonly asNumber: number },
  port: number,
  tell: (line: string) => void,
): Promise<Router> {
  const { setup } = unwrap(
    routerSetup({
      asNumber: 64512,
      routerId: '192.0.2.10',
      listen: { addresses: ['127.0.0.1', '::1'] },
      peers: [{ ...peer, passive: true, import: ['accept-all'], export: ['reject-all'] }],
    }),
  );
  return openRouter(
    { ...setup, listen: { ...setup.listen, port } },
    {
      onEvent: (event) => tell(JSON.stringify(event)),
      onUpdate: (name, { reach, unreach, attributes }) => {
        for (const { nlri, nextHop } of reach)
          for (const { prefix } of nlri)
            tell(
              `${name} + ${prefix.toString()} via ${nextHop.address.toString()} ${JSON.stringify(attributes?.asPath)}`,
            );
        for (const { nlri } of unreach) for (const { prefix } of nlri) tell(`${name} - ${prefix.toString()}`);
      },
    },
  );
}

if (import.meta.main) {
  const [port = '1790', address = '127.0.0.1', asNumber = '64513'] = process.argv.slice(2);
  await collect({ address, asNumber: Number(asNumber) }, Number(port), (line) => console.log(line));
}
