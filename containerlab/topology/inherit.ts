/**
 * What a node ends up with: defaults, then its kind's settings, then its group's, then its own.
 * Single values are replaced, maps merged, and lists joined, as in containerlab.
 */
import type { NodeSettings, TopologyFile } from './schema.ts';

const LISTS = ['exec', 'binds'] as const;
const MAPS = ['env', 'labels'] as const;

export function settingsOf(file: TopologyFile, node: string): NodeSettings {
  const { defaults, kinds, groups, nodes } = file.topology;
  const own: NodeSettings = nodes[node] ?? {};
  const groupName = own.group ?? defaults?.group;
  const group: NodeSettings = (groupName === undefined ? undefined : groups?.[groupName]) ?? {};
  const kindName = own.kind ?? group.kind ?? defaults?.kind;
  const kind: NodeSettings = (kindName === undefined ? undefined : kinds?.[kindName]) ?? {};
  return [kind, group, own].reduce<NodeSettings>(overlay, defaults ?? {});
}

function overlay(below: NodeSettings, above: NodeSettings): NodeSettings {
  const given = Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined));
  const merged: Record<string, unknown> = { ...below, ...given };
  for (const key of LISTS) {
    const list = [...(below[key] ?? []), ...(above[key] ?? [])];
    if (list.length > 0) merged[key] = [...new Set(list)];
  }
  for (const key of MAPS) {
    if (below[key] !== undefined || above[key] !== undefined) merged[key] = { ...below[key], ...above[key] };
  }
  return merged;
}
