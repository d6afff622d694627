/** One case of the table for packets. */

export interface Case {
  readonly it: string;
  /** Which way the packets go that are tried, seen from the workload of the case. */
  readonly direction: 'ingress' | 'egress';
  readonly labels?: Readonly<Record<string, string>>;
  /** The rule that it is about, where others have tried every protocol on its like. Default: all are tried. */
  readonly about?: object;
  /** @param me  label that the workload of the case has, and no other */
  readonly resources: (me: Me) => readonly object[];
  /** In place of {@link resources}, after the change; undefined: nothing changes. */
  readonly changed?: (me: Me) => readonly object[];
  /** Labels of the workload after the change. */
  readonly changedLabels?: Readonly<Record<string, string>>;
}

export interface Me {
  readonly id: string;
  /** In our selector language. */
  readonly selector: string;
  /** In Kubernetes'. */
  readonly podSelector: object;
}
