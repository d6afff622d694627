/**
 * containerd writes `HostPort`, podman `hostPort`: Go decodes keys without regard to case, so runtimes never
 * noticed. Keys of runtimeConfig are therefore read in lower case; values and the keys of label maps are not touched.
 */
export function lowerKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const name = key.toLowerCase();
      // Annotations and other maps that a runtime passes through have keys of their own that carry meaning.
      return [name, name.includes('.') ? inner : lowerKeys(inner)];
    }),
  );
}
