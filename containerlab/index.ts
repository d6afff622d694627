/**
 * Labs on network namespaces, from containerlab's own topology files. The command line calls these; each prints on
 * the screen it is given, returns an exit code, and throws a PoplinError for what its user has to mend.
 */
export { type LabDownOptions, labDown } from './commands/down.ts';
export { type LabExecOptions, labExec } from './commands/exec.ts';
export { type LabStatus, type LabStatusOptions, labStatus } from './commands/status.ts';
export { type LabTestOptions, labTest } from './commands/test.ts';
export { type LabUpOptions, labUp } from './commands/up.ts';
export { type QuickstartOptions, labQuickstart } from './quickstart/quickstart.ts';
export type { Screen } from './terminal/screen.ts';
export { loadTopology, parseTopology } from './topology/load.ts';
