/** A lab as the runner needs it: inheritance resolved, paths absolute, every link checked. */

export interface Topology {
  readonly name: string;
  /** Absolute path of the file this came from. */
  readonly file: string;
  readonly nodes: readonly LabNode[];
  readonly links: readonly Link[];
  /** Keys of containerlab that were given and that have no effect on namespaces, sorted. */
  readonly ignored: readonly string[];
}

/** What runs on a node; the image's name decides, as it does for containerlab. */
export type Role = 'bird' | 'frr' | 'poplin' | 'linux';

export interface LabNode {
  readonly name: string;
  readonly role: Role;
  readonly image: string | undefined;
  /** Absolute path of the router's configuration. */
  readonly startupConfig: string | undefined;
  readonly startupDelaySeconds: number;
  readonly binds: readonly Bind[];
  /** Commands run in the node once it is up, each a program and its arguments. */
  readonly exec: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  /** Replaces what the role would run. */
  readonly command: readonly string[] | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Bind {
  /** Absolute path on this machine. */
  readonly source: string;
  /** Absolute path that the node sees. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface Link {
  readonly ends: readonly [LinkEnd, LinkEnd];
  readonly mtu: number;
}

export interface LinkEnd {
  readonly node: string;
  readonly interface: string;
}

/** containerlab's default for links: jumbo enough that no experiment trips over it by accident. */
export const DEFAULT_LINK_MTU = 9500;

/** Name of the network namespace of a node or workload, the same as containerlab's container. */
export function namespaceName(lab: string, member: string): string {
  return `clab-${lab}-${member}`;
}
