/** Selectors of Kubernetes as text in our selector language, word for word as Calico writes them. */
import type { LabelSelector } from '../kinds/label-selector.ts';

/** Endpoints that are pods: nothing else (a host, a network set) is ever meant by a pod selector. */
const IS_POD = "projectcalico.org/orchestrator == 'k8s'";

/** @param selector  absent and empty both mean all pods */
export function podSelectorText(selector: LabelSelector | undefined): string {
  return [IS_POD, ...terms(selector)].join(' && ');
}

/** @param selector  absent: no word about namespaces (''); empty: every namespace */
export function namespaceSelectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '';
  const all = terms(selector);
  return all.length === 0 ? 'all()' : all.join(' && ');
}

function terms(selector: LabelSelector | undefined): string[] {
  const labels = Object.entries(selector?.matchLabels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `${key} == '${value}'`);
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    const list = values.join("', '");
    switch (operator) {
      case 'In':
        return `${key} in { '${list}' }`;
      case 'NotIn':
        return `${key} not in { '${list}' }`;
      case 'Exists':
        return `has(${key})`;
      case 'DoesNotExist':
        return `! has(${key})`;
    }
  });
  return [...labels, ...expressions];
}
