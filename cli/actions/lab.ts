/** lab: hands over to containerlab/, which prints and gives the exit code. */
import type { Action, Arguments } from '../command.ts';
import type {
  labDownTable,
  labExecTable,
  labQuickstartTable,
  labStatusTable,
  labTestTable,
  labUpTable,
} from '../tables/lab.ts';

export const labUp: Action<Arguments<typeof labUpTable>> = async (args, terminal) =>
  (await import('../../containerlab/index.ts')).labUp(args, terminal);

export const labDown: Action<Arguments<typeof labDownTable>> = async (args, terminal) =>
  (await import('../../containerlab/index.ts')).labDown(args, terminal);

export const labStatus: Action<Arguments<typeof labStatusTable>> = async (args, terminal) =>
  (await import('../../containerlab/index.ts')).labStatus(args, terminal);

export const labExec: Action<Arguments<typeof labExecTable>> = async (args) =>
  (await import('../../containerlab/index.ts')).labExec(args);

export const labTest: Action<Arguments<typeof labTestTable>> = async (args, terminal) =>
  (await import('../../containerlab/index.ts')).labTest(args, terminal);

export const labQuickstart: Action<Arguments<typeof labQuickstartTable>> = async (args, terminal) =>
  (await import('../../containerlab/index.ts')).labQuickstart(args, terminal);
