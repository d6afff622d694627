/** Kinds whose resources are found by fixed names: a slip in the name would make one that nobody reads. */
import { type Complaint, quote } from '../schema/field.ts';
import type { Metadata } from './kind.ts';

interface Named {
  readonly metadata: Metadata;
}

export function onlyNamed(name: string): (resource: Named) => Generator<Complaint> {
  return function* ({ metadata }) {
    if (metadata.name === name) return;
    yield {
      path: ['metadata', 'name'],
      what: `${quote(metadata.name)} would never be read`,
      remedy: `name it ${name}`,
    };
  };
}

/** `default` for the cluster, `node.<node>` for one node. */
export function* clusterOrNode({ metadata }: Named): Generator<Complaint> {
  if (metadata.name === 'default' || /^node\..+/.test(metadata.name)) return;
  yield {
    path: ['metadata', 'name'],
    what: `${quote(metadata.name)} would never be read`,
    remedy: 'name it default for the whole cluster, or node.<name of the node>',
  };
}
