/** Reading a collection of the API server, in pages, as it was at one resource version. */
import { type Client, PATIENCE } from './client.ts';
import type { KubernetesObject } from './native/native.ts';
import { type ApiResource, collectionPath } from './resources.ts';
import { isGone, isUnserved, refusal } from './status.ts';
import { parseJson } from '../json.ts';

/** Objects an answer: one of endpoints is then a few hundred kilobytes. */
const PAGE = 500;
/** How often to begin anew when history went away between two pages of a list of now. */
const ATTEMPTS = 3;

export interface Listed<T = KubernetesObject> {
  readonly objects: readonly T[];
  /** Resource version of the list; undefined when the cluster does not serve the resource. */
  readonly version: string | undefined;
}

interface ListBody {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubernetesObject[] | null;
}

/** Objects without their spec and status. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** The version asked for is no longer kept, or never was. */
export class VersionGone extends Error {
  override readonly name = 'VersionGone';
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** This very version; undefined: the newest. */
  readonly at?: string | undefined;
  /** The form of the answer, see {@link METADATA_ONLY}; default whole objects. */
  readonly accept?: string;
}

/**
 * @param convert  what of an object is kept: a pod is several kilobytes, and an endpoint is one, so that of a large
 *   collection no more than a page lies here as it came
 * @throws VersionGone, or PoplinError as {@link Client.read} does
 */
export async function listObjects<T = KubernetesObject>(
  client: Client,
  resource: ApiResource,
  { namespace, labelSelector, fieldSelector, at, accept }: ListOptions,
  convert: (object: KubernetesObject) => T = (object) => object as T,
): Promise<Listed<T>> {
  const path = collectionPath(resource, namespace);
  const selector = {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
  for (let attempt = 1; ; attempt++) {
    const objects: T[] = [];
    let version: string | undefined;
    let next = '';
    try {
      do {
        const position =
          next !== ''
            ? { continue: next }
            : at === undefined
              ? {}
              : { resourceVersion: at, resourceVersionMatch: 'Exact' };
        const query = { limit: String(PAGE), ...selector, ...position };
        const answer = await client.read(path, query, resource, PATIENCE, accept);
        if (isUnserved(answer) && resource.optional) return { objects: [], version: undefined };
        if (isGone(answer)) throw new VersionGone();
        if (answer.status !== 200) throw refusal(answer, { method: 'GET', path }, resource);
        const body = parseObjects(answer.text, resource) as ListBody;
        version ??= body.metadata?.resourceVersion;
        for (const item of body.items ?? []) objects.push(convert(withKind(item, resource)));
        next = body.metadata?.continue ?? '';
      } while (next !== '');
      return { objects, version };
    } catch (error) {
      if (!(error instanceof VersionGone) || at !== undefined || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * Integers beyond 2^53 are in Calico's blocks, and in nothing of Kubernetes: of a list of pods, to look for them takes a
 * quarter as long as to read it.
 */
export function parseObjects(text: string, { group }: ApiResource): unknown {
  return group === '' || group.endsWith('k8s.io') ? JSON.parse(text) : parseJson(text);
}

/** Items of lists do not say what they are. */
function withKind(item: KubernetesObject, { group, version, objectKind }: ApiResource): KubernetesObject {
  return { ...item, apiVersion: group === '' ? version : `${group}/${version}`, kind: objectKind };
}
