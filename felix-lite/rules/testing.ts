/** For tests of rules: chains as lines of iptables. */
import type { IpVersion } from '../../net/addr/index.ts';
import type { PolicyRef } from '../calc/model.ts';
import { renderChain } from '../dataplane/iptables/render.ts';
import type { Rule } from './types.ts';

/** Without their hash comments. */
export function linesOf(name: string, rules: readonly Rule[], version: IpVersion = 4): readonly string[] {
  return renderChain(name, rules, version).map(({ text }) =>
    text.replace(/-m comment --comment "cali:[\w-]+" ?/, ''),
  );
}

export function policyRef(name: string, selector = 'all()'): PolicyRef {
  return { id: { kind: 'GlobalNetworkPolicy', namespace: '', name }, selector };
}
