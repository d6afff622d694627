/** A node's public keys in the status of its Node, where all others look for them. */
import type { Node, Problem } from '../../../api/index.ts';
import type { ResourceClient } from '../../../datastore/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';

const ATTEMPTS = 10;
const FIELDS = { 4: 'wireguardPublicKey', 6: 'wireguardPublicKeyV6' } as const;

/** @param key  undefined: none is published any more */
export async function publishKey(
  client: ResourceClient,
  name: string,
  version: IpVersion,
  key: string | undefined,
): Promise<readonly Problem[]> {
  for (let attempt = 1; ; attempt++) {
    const found = await client.get('Node', name);
    if (!found.ok) return found.problems;
    if (found.value.status?.[FIELDS[version]] === key) return [];
    const written = await client.update(withKey(found.value, version, key));
    if (written.ok) return [];
    const raced = written.problems.some(({ code }) => code === 'RESOURCE_CONFLICT');
    if (!raced || attempt === ATTEMPTS) return written.problems;
  }
}

function withKey({ status: before, ...node }: Node, version: IpVersion, key: string | undefined): Node {
  const { [FIELDS[version]]: _before, ...rest } = { ...before };
  // An empty one too: a Node without a status would keep the one it has.
  return { ...node, status: key === undefined ? rest : { ...rest, [FIELDS[version]]: key } };
}
