/** Kinds, names and namespaces of the command line, by calicoctl's rules. */
import { type KindInfo, KINDS, kindInfo, type Resource } from '../../api/index.ts';
import { UsageError } from '../command.ts';

export const DEFAULT_NAMESPACE = 'default';

/** One kind or several with commas. `all` is no kind: what a person means by it differs from day to day. */
export function selectKinds(text: string): KindInfo[] {
  return text.split(',').map((name) => {
    const info = kindInfo(name.trim());
    if (info === undefined) {
      throw new UsageError(
        `${JSON.stringify(name)} is not a kind of resource; use one of ${KINDS.map((kind) => kind.plural).join(', ')}`,
      );
    }
    return info;
  });
}

export interface NamespaceChoice {
  readonly namespace: string | undefined;
  readonly 'all-namespaces'?: boolean;
}

/** Namespace to look in for a kind; undefined: all of them, or a kind that has none. */
export function namespaceFor(info: KindInfo, choice: NamespaceChoice): string | undefined {
  const all = choice['all-namespaces'] === true;
  if (all && choice.namespace !== undefined)
    throw new UsageError('--namespace and --all-namespaces exclude each other');
  if (info.namespaced) return all ? undefined : (choice.namespace ?? DEFAULT_NAMESPACE);
  if (all || choice.namespace !== undefined) {
    throw new UsageError(`${info.kind} is not namespaced: leave out --namespace and --all-namespaces`);
  }
  return undefined;
}

/** A manifest's resource with the namespace that -n (or nothing) gives it. */
export function placeInNamespace<R extends Resource>(resource: R, namespace: string | undefined): R {
  if (kindInfo(resource.kind)?.namespaced !== true) return resource;
  const own = resource.metadata.namespace;
  if (own !== undefined && namespace !== undefined && own !== namespace) {
    throw new UsageError(
      `${resource.kind} ${resource.metadata.name} is of namespace ${own}, and --namespace says ${namespace}; change one of them`,
    );
  }
  return {
    ...resource,
    metadata: { ...resource.metadata, namespace: own ?? namespace ?? DEFAULT_NAMESPACE },
  };
}
