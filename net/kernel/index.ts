/** The only door to the kernel: netlink, namespaces, sysctls, processes, and the tools iptables and ipset. */
export { errnoName, isKernelError, KernelError } from './errors.ts';
export * as ipset from './ipset.ts';
export * as iptables from './iptables.ts';
export {
  createNamespace,
  deleteNamespace,
  inNamespace,
  listNamespaces,
  namespaceIdentity,
  namespacePath,
} from './netns.ts';
export { CommandError, formatCommand, type RunOptions, type RunResult, run } from './process.ts';
export { readSysctl, sysctlPath, writeSysctl } from './sysctl.ts';
