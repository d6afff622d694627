/** What a rule does to the attributes of a route that it lets through. */
import type { AsSegment, PathAttributes } from '../wire/types.ts';
import { addCommunity, removeCommunities } from './community.ts';
import type { Operation } from './model.ts';

const U32 = 0xffff_ffff;

/** Next hops are not attributes here: see `compile.ts`. The same object comes back where nothing changes. */
export function perform(attributes: PathAttributes, operation: Operation): PathAttributes {
  switch (operation.type) {
    case 'add-community':
      return addCommunity(attributes, operation.community);
    case 'remove-communities':
      return removeCommunities(attributes, operation.patterns);
    case 'prepend':
      return operation.asns.length === 0
        ? attributes
        : { ...attributes, asPath: prepend(attributes.asPath, operation.asns) };
    case 'set-local-pref':
      return attributes.localPref === operation.value
        ? attributes
        : { ...attributes, localPref: operation.value };
    case 'default-local-pref':
      return attributes.localPref === undefined ? { ...attributes, localPref: operation.value } : attributes;
    case 'set-med':
      return withMed(attributes, operation.value);
    case 'add-med':
      return withMed(attributes, Math.min(U32, Math.max(0, (attributes.med ?? 0) + operation.value)));
    case 'remove-med':
      return withoutMed(attributes);
    case 'set-origin':
      return attributes.origin === operation.origin
        ? attributes
        : { ...attributes, origin: operation.origin };
    case 'set-next-hop':
      return attributes;
  }
}

function withMed(attributes: PathAttributes, med: number): PathAttributes {
  return attributes.med === med ? attributes : { ...attributes, med };
}

function withoutMed(attributes: PathAttributes): PathAttributes {
  if (attributes.med === undefined) return attributes;
  const { med: _, ...rest } = attributes;
  return rest;
}

/** A segment's length is one octet (RFC 4271 §4.3 b). */
const MAX_SEGMENT = 255;

/** RFC 4271 §5.1.2 b: into the leading sequence, or a new one where that is full or absent. */
export function prepend(path: readonly AsSegment[], asns: readonly number[]): readonly AsSegment[] {
  if (asns.length === 0) return path;
  const first = path[0];
  if (first?.type === 'sequence' && first.asns.length + asns.length <= MAX_SEGMENT)
    return [{ type: 'sequence', asns: [...asns, ...first.asns] }, ...path.slice(1)];
  return [{ type: 'sequence', asns }, ...path];
}
