/** Why the kernel does not have routes and tunnel devices that are wanted, in words. */
import type { Problem } from '../../api/index.ts';
import type { Address, IpVersion } from '../../net/addr/index.ts';
import { formatRoute, type KernelError, type Route, type RouteChange } from '../../net/kernel/index.ts';

/** Of each kind of refusal so many are told; the rest is counted. */
const TOLD = 5;

export function told(problems: readonly Problem[]): readonly Problem[] {
  const [first] = problems;
  if (first === undefined || problems.length <= TOLD) return problems;
  return [...problems.slice(0, TOLD), { ...first, what: `and ${problems.length - TOLD} more like these` }];
}

export function routeRefused({ route }: RouteChange, error: KernelError | undefined): Problem {
  return {
    code: 'ROUTE_REFUSED',
    value: route.destination.toString(),
    what: `the kernel did not take the route ${formatRoute(route)}: ${error?.problems[0]?.what ?? 'no reason given'}`,
    remedy: 'it is tried again; look whether this machine has a way to that gateway',
  };
}

export function stranger(route: Route, other: Route): Problem {
  return {
    code: 'ROUTE_STRANGER',
    value: route.destination.toString(),
    what: `somebody else's route stands where ours would: ${formatRoute(other)}`,
    remedy: 'remove it, or give it another metric; it is left alone, and ours waits',
  };
}

export function notOurAddress({
  name,
  underlay,
  version,
}: {
  readonly name: string;
  readonly underlay: Address;
  readonly version: IpVersion;
}): Problem {
  return {
    code: 'NODE_ADDRESS_ABSENT',
    field: `spec.bgp.ipv${version}Address`,
    value: underlay.toString(),
    what: `no interface of this machine has the node's address ${underlay.toString()}, so ${name} has nothing to send over`,
    remedy: 'put the address on an interface, or correct the Node: poplin node init',
  };
}
