/** What others still stand on: refused where calicoctl refuses, warned of where it deletes all the same. */
import { type Problem, type Resource, unwrap } from '../../api/index.ts';
import { ipamOf, type OpenStore } from '../store.ts';
import { usageOf } from './usage.ts';

/** Resources that the system itself needs. (A tier that holds policies is found by the datastore's own check.) */
export function cannotBeDeleted(resource: Resource): Problem | undefined {
  const { kind, metadata } = resource;
  const name = `${kind}/${metadata.name}`;
  if (kind === 'Tier' && metadata.name === 'default') {
    return refusal(
      name,
      'policies that name no tier are in the default tier',
      'leave it, or change its order with apply',
    );
  }
  if (kind === 'Profile' && metadata.name === 'projectcalico-default-allow') {
    return refusal(name, 'it is built in', 'use other profiles on your endpoints instead');
  }
  if (kind === 'ClusterInformation') return refusal(name, 'it is kept by Poplin itself', 'leave it');
  return undefined;
}

function refusal(resource: string, why: string, remedy: string): Problem {
  return { code: 'RESOURCE_NEEDED', resource, what: `cannot be deleted: ${why}`, remedy };
}

/** One sentence for each deletion that something will miss. */
export async function warningsFor(resources: readonly Resource[], open: OpenStore): Promise<string[]> {
  const { client } = open;
  const warnings: string[] = [];
  for (const resource of resources) {
    const { name } = resource.metadata;
    if (resource.kind === 'IPPool') {
      const [usage] = usageOf([resource], await ipamOf(open).blocks()).pools;
      if (usage !== undefined && usage.inUse > 0n) {
        warnings.push(
          `IPPool ${name} had ${usage.inUse} addresses in use; their workloads keep them, but nothing is advertised or assigned from it any more`,
        );
      }
    } else if (resource.kind === 'Node') {
      const endpoints = unwrap(await client.list('WorkloadEndpoint')).filter(
        ({ spec }) => spec.node === name,
      );
      if (endpoints.length > 0) {
        warnings.push(
          `Node ${name} still has ${endpoints.length} workload endpoints and their addresses; delete them too if the machine is gone for good`,
        );
      }
    } else if (resource.kind === 'Profile') {
      const users = unwrap(await client.list('WorkloadEndpoint')).filter(
        ({ spec }) => spec.profiles?.includes(name) === true,
      );
      if (users.length > 0) {
        warnings.push(
          `Profile ${name} is named by ${users.length} workload endpoints, which no profile allows any traffic now`,
        );
      }
    }
  }
  return warnings;
}
