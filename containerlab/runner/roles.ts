/**
 * What runs on a node, by role: which of the machine's folders it needs for itself, what is started, where its
 * startup-config belongs. One entry per role; adding a router means adding one here.
 */
import { join } from 'node:path';
import type { LabNode, Role } from '../topology/topology.ts';
import { REPOSITORY, labPaths, nodeRunDir } from './paths.ts';

export interface RoleSpec {
  /** Folders that two nodes would fight over; each node gets its own, empty. */
  readonly privateFolders: readonly string[];
  /** Account that owns them. */
  readonly owner?: string;
  readonly startupConfig?: string;
  /** Files in those folders that the router does not start without; startup-config and binds cover them. */
  readonly files?: Readonly<Record<string, string>>;
  /** Programs that must be installed. */
  readonly programs: readonly string[];
  readonly command?: (lab: string, node: LabNode) => readonly string[];
  readonly env?: (lab: string, node: LabNode) => Readonly<Record<string, string>>;
  /** Prints the version of what runs there. */
  readonly version?: readonly string[];
}

export const ROLES: Readonly<Record<Role, RoleSpec>> = {
  bird: {
    privateFolders: ['/etc/bird', '/run/bird'],
    startupConfig: '/etc/bird/bird.conf',
    programs: ['/usr/sbin/bird', '/usr/sbin/birdc'],
    command: () => ['/usr/sbin/bird', '-f', '-c', '/etc/bird/bird.conf', '-s', '/run/bird/bird.ctl'],
    version: ['/usr/sbin/bird', '--version'],
  },
  frr: {
    privateFolders: ['/etc/frr', '/run/frr'],
    owner: 'frr',
    startupConfig: '/etc/frr/frr.conf',
    files: {
      '/etc/frr/daemons': 'bgpd=yes\nvtysh_enable=yes\n',
      '/etc/frr/vtysh.conf': 'service integrated-vtysh-config\n',
    },
    programs: ['/usr/lib/frr/watchfrr', '/usr/lib/frr/zebra', '/usr/bin/vtysh', '/bin/bash'],
    command: () => ['/bin/bash', join(import.meta.dirname, 'frr.sh')],
    version: ['/usr/lib/frr/bgpd', '--version'],
  },
  poplin: {
    // The sockets of wireguard-go, by the name of the device, which is the same on all nodes.
    privateFolders: ['/run/wireguard'],
    programs: ['/usr/sbin/iptables', '/usr/sbin/ipset'],
    command: (lab, node) => [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(REPOSITORY, 'node', 'main.ts'),
      '--node',
      node.name,
      '--datastore',
      labPaths(lab).datastore,
      '--run-dir',
      nodeRunDir(lab, node.name),
    ],
    env: (lab, node) => ({
      POPLIN_NODE: node.name,
      POPLIN_DATASTORE: labPaths(lab).datastore,
      POPLIN_RUN_DIR: nodeRunDir(lab, node.name),
      // The lock is per machine, and each node of the lab is a machine of its own.
      XTABLES_LOCKFILE: join(nodeRunDir(lab, node.name), 'xtables.lock'),
      NODE_COMPILE_CACHE: join(REPOSITORY, '.cache', 'compile'),
    }),
  },
  linux: { privateFolders: [], programs: [] },
};

/** The environment of everything that runs on the node. */
export function environmentOf(lab: string, node: LabNode): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env.HOME ?? '/root',
    ...(process.env.TERM === undefined ? {} : { TERM: process.env.TERM }),
    LANG: process.env.LANG ?? 'C.UTF-8',
    ...ROLES[node.role].env?.(lab, node),
    ...node.env,
  };
}
