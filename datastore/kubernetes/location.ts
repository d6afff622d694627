/**
 * `kubernetes:`, as kubectl finds a cluster ($KUBECONFIG, `~/.kube/config`, else the service account of the pod we run
 * in), or `kubernetes:///PATH[?context=NAME]`, a kubeconfig file by its path. `kubernetes:in-cluster` asks for the
 * service account and nothing else.
 */
import { PoplinError } from '../../api/problem.ts';

export interface KubernetesOptions {
  /** As the user wrote it. */
  readonly location: string;
  /** Kubeconfig file; undefined: as kubectl finds it. */
  readonly path?: string;
  /** Context in the kubeconfig; undefined: its current one. */
  readonly context?: string;
  /** The pod's own service account, whatever kubeconfig there is. */
  readonly inCluster: boolean;
}

const FORM = /^(?:kubernetes|k8s):(?:\/\/(\/[^?]+)?|(in-cluster))?(?:\?(.*))?$/;

/** @throws PoplinError STORE_LOCATION when the location does not have the form */
export function parseLocation(location: string): KubernetesOptions {
  const match = FORM.exec(location);
  if (match === null)
    throw invalid(location, 'write it as kubernetes: or kubernetes:///PATH/OF/KUBECONFIG?context=NAME');
  const [, path, inCluster, query = ''] = match;
  const settings = new URLSearchParams(query);
  const unknown = [...settings.keys()].find((name) => name !== 'context');
  if (unknown !== undefined) throw invalid(location, `"${unknown}" is no setting; use context`);
  const context = settings.get('context');
  if (inCluster !== undefined && context !== null)
    throw invalid(location, 'a context is for kubeconfig files; leave it out with in-cluster');
  return {
    location,
    inCluster: inCluster !== undefined,
    ...(path === undefined ? {} : { path: decodeURIComponent(path) }),
    ...(context === null ? {} : { context }),
  };
}

export function invalid(location: string, remedy: string): PoplinError {
  return new PoplinError([
    {
      code: 'STORE_LOCATION',
      value: location,
      what: `the datastore location ${location} cannot be used`,
      remedy,
    },
  ]);
}
