/** What a conversion gives: resources of ours, and what of the object could not be said in them. */
import type { Problem } from '../problem.ts';
import type { EntityRule, Rule } from '../kinds/rule.ts';

export interface Made<R> {
  readonly resource: R;
  readonly problems: readonly Problem[];
}

/** A rule without the parts that say nothing. */
export function plainRule(
  rule: Pick<Rule, 'action'> &
    Partial<Pick<Rule, 'metadata' | 'protocol'>> & {
      readonly source?: EntityRule;
      readonly destination?: EntityRule;
    },
): Rule {
  const { action, metadata, protocol, source = {}, destination = {} } = rule;
  return {
    action,
    ...(metadata === undefined ? {} : { metadata }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(Object.keys(source).length === 0 ? {} : { source }),
    ...(Object.keys(destination).length === 0 ? {} : { destination }),
  };
}

/** Fields of an entity that are set; empty text and empty lists say nothing. */
export function plainEntity(fields: {
  readonly selector?: string;
  readonly namespaceSelector?: string;
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly ports?: readonly (number | string)[];
}): EntityRule {
  const { selector = '', namespaceSelector = '', nets = [], notNets = [], ports = [] } = fields;
  return {
    ...(nets.length === 0 ? {} : { nets: [...nets] }),
    ...(notNets.length === 0 ? {} : { notNets: [...notNets] }),
    ...(selector === '' ? {} : { selector }),
    ...(namespaceSelector === '' ? {} : { namespaceSelector }),
    ...(ports.length === 0 ? {} : { ports: [...ports] }),
  };
}
