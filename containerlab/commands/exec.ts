/** `poplin lab exec`: run a command on a node, as its own shell would, or in a workload's network. */
import { PoplinError, unwrap } from '../../api/problem.ts';
import { namespacePath } from '../../net/kernel/index.ts';
import { nearest } from '../topology/issues.ts';
import { openLab } from '../runner/lab.ts';
import { inMachine, machineOf } from '../uml/lab-machine.ts';
import { attach, attachTo } from '../runner/node.ts';

export interface LabExecOptions {
  readonly lab?: string | undefined;
  /** A node or a workload. */
  readonly node: string;
  readonly command: readonly string[];
}

/** @returns the command's own exit code; 127 when there is no such command, as in a shell */
export async function labExec({ lab: name, node: member, command }: LabExecOptions): Promise<number> {
  const machine = machineOf(name);
  if (machine !== undefined)
    return inMachine(
      machine,
      ['lab', 'exec', '--lab', machine.lab, member, '--', ...command],
      (text) => process.stdout.write(text),
      process.stdin,
    );
  const lab = unwrap(openLab(name));
  const workload = lab.state.workloads[member];
  if (workload !== undefined)
    return attach(
      ['nsenter', `--net=${namespacePath(workload.namespace)}`, '--', ...command],
      process.env,
      'inherit',
    );
  if (lab.node(member) !== undefined) return attachTo(lab.on(member), command);
  const names = [...lab.topology.nodes.map((node) => node.name), ...Object.keys(lab.state.workloads)];
  const near = nearest(member, names);
  throw new PoplinError([
    {
      code: 'MEMBER_UNKNOWN',
      value: member,
      what: `the lab "${lab.topology.name}" has no node or workload "${member}"`,
      remedy: `name ${near === undefined ? '' : `"${near}", or `}one of ${names.join(', ')}`,
    },
  ]);
}
