/** The owners that a block lists, each once, for its allocations to point at. Pure. */

/** Owner of one or more addresses of a block. */
export interface AllocationAttribute {
  readonly handle_id?: string | null;
  readonly secondary?: Readonly<Record<string, string>> | null;
  /** RFC 3339. Written when its owner released the address: it has none now, and is not free yet. */
  readonly releasedAt?: string | null;
}

interface Owned {
  readonly allocations: readonly (number | null)[];
  readonly attributes: readonly AllocationAttribute[];
}

/** What no allocation points at goes, and the others move up. */
export function withoutUnusedAttributes({ allocations, attributes }: Owned): Owned {
  const references = new Set(allocations);
  const used = attributes.map((_, index) => index).filter((index) => references.has(index));
  const place = new Map(used.map((index, position) => [index, position]));
  return {
    allocations: allocations.map((index) => (index === null ? null : (place.get(index) ?? null))),
    attributes: attributes.filter((_, index) => place.has(index)),
  };
}
