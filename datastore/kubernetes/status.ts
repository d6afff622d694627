/** What an API server's answers mean, and how what went wrong is told. Pure. */
import { PoplinError, type Problem } from '../../api/problem.ts';
import { parseJson } from '../json.ts';
import type { Answer, Ask } from './api.ts';
import type { ApiResource } from './resources.ts';

/** `metav1.Status`, the parts that matter. */
export interface Status {
  readonly reason: string;
  readonly message: string;
  /** The object's name, where the answer is about one. */
  readonly name: string | undefined;
  readonly causes: readonly string[];
}

export function statusOf({ text }: Answer): Status {
  const parsed = parse(text);
  const details = record(parsed['details']);
  const causes = Array.isArray(details['causes']) ? details['causes'] : [];
  return {
    reason: string(parsed['reason']),
    message: string(parsed['message']) || text.trim().slice(0, 300),
    name: details['name'] === undefined ? undefined : string(details['name']),
    causes: causes.map((cause) => string(record(cause)['reason'])),
  };
}

/** The history that was asked for is gone, or has not happened (another history). */
export function isGone(answer: Answer): boolean {
  const { reason, causes, message } = statusOf(answer);
  return (
    answer.status === 410 ||
    reason === 'Expired' ||
    reason === 'Gone' ||
    causes.includes('ResourceVersionTooLarge') ||
    /future revision|too large resource version/i.test(message)
  );
}

/** Asked again a moment later, the same request may well succeed. */
export function isPassing({ status }: Answer): boolean {
  return status === 429 || status >= 500;
}

/** An object that is not there, as opposed to a kind that the server does not know. */
export function isAbsent(answer: Answer): boolean {
  return answer.status === 404 && statusOf(answer).name !== undefined;
}

/** 404 without an object's name: no such resource, or no such group at all. */
export function isUnserved(answer: Answer): boolean {
  return answer.status === 404 && statusOf(answer).name === undefined;
}

/** Whatever neither waiting nor reading again can mend. */
export function refusal(answer: Answer, ask: Ask, resource: ApiResource): PoplinError {
  return new PoplinError([problemOf(answer, ask, resource)]);
}

function problemOf(answer: Answer, { method }: Ask, resource: ApiResource): Problem {
  const { message } = statusOf(answer);
  const name = `${resource.plural}${resource.group === '' ? '' : `.${resource.group}`}`;
  if (answer.status === 401)
    return {
      code: 'STORE_FORBIDDEN',
      what: `the API server does not know who we are (${message})`,
      remedy: 'renew the credentials in the kubeconfig file, or the token of the service account',
    };
  // Quotas, admission and namespaces that are going away forbid as well: no role helps against these.
  if (answer.status === 403 && / cannot \w+ resource /.test(message)) {
    const verb = verbOf(method, message);
    return {
      code: 'STORE_FORBIDDEN',
      value: name,
      what: `the API server does not let us ${verb} ${name}: ${message}`,
      remedy: `add to its role: apiGroups: ["${resource.group}"], resources: ["${resource.plural}${subresource(message, resource)}"], verbs: ["${verb}"]; deploy/rbac.yaml has the roles that Poplin's parts need`,
    };
  }
  // Told as of an object that is not there, which the namespace is.
  const namespace = answer.status === 404 && /^namespaces "([^"]+)" not found/.exec(message)?.[1];
  if (typeof namespace === 'string')
    return {
      code: 'STORE_NO_NAMESPACE',
      value: namespace,
      what: `the cluster has no namespace ${namespace}, in which it would be`,
      remedy: `make it: kubectl create namespace ${namespace}`,
    };
  if (isUnserved(answer))
    return {
      code: 'STORE_UNPREPARED',
      value: name,
      what: `the cluster does not know ${name}`,
      remedy: 'install the custom resource definitions: kubectl apply -f deploy/crds.yaml',
    };
  return {
    code: 'STORE_REFUSED',
    value: name,
    what: `the API server refuses it (${answer.status}): ${message}`,
    remedy:
      answer.status === 422
        ? 'mend the field that it names; a name has to be a DNS name in lower case there'
        : 'look at what it says, and into its log',
  };
}

/** The server says which verb it looked for: a GET may be get, list or watch. */
function verbOf(method: Ask['method'], message: string): string {
  const told = / cannot (\w+) resource /.exec(message)?.[1];
  return told ?? { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method];
}

function subresource(message: string, { plural }: ApiResource): string {
  return new RegExp(`resource "${plural}(/\\w+)"`).exec(message)?.[1] ?? '';
}

function parse(text: string): Record<string, unknown> {
  try {
    return record(parseJson(text));
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
