/** Routes that the kernel does not have although they are wanted, in words. */
import type { Problem } from '../../api/index.ts';
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
