/** Problems of a configuration, told with the resource and field that cause them. */
import type { Problem } from '../../api/index.ts';

export function missing(resource: string, field: string, kind: string, name: string): Problem {
  return {
    code: 'REFERENCE_MISSING',
    resource,
    field,
    value: name,
    what: `there is no ${kind} named "${name}"`,
    remedy: `create it, or remove the name; until then the session is left as it is`,
  };
}

export function unsupported(resource: string, field: string, why: string): Problem {
  return {
    code: 'FIELD_UNSUPPORTED',
    resource,
    field,
    what: `bgpd does not know how to honour it: ${why}`,
    remedy: 'remove the field; until then the session is left as it is',
  };
}
