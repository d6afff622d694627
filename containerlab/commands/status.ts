/** `poplin lab status`: what stands of a lab, and its BGP sessions. */
import { unwrap } from '../../api/problem.ts';
import { isAlive } from '../../daemon/process.ts';
import { type RunningLab, openLab } from '../runner/lab.ts';
import { type Paint, type Screen, columns, painter } from '../terminal/screen.ts';
import { addressesByNode } from '../verdict/ask.ts';
import { lookAtSessions } from '../verdict/fabric.ts';
import type { SessionPair } from '../verdict/sessions.ts';
import { inMachine, machineOf } from '../uml/lab-machine.ts';

export interface LabStatusOptions {
  readonly lab?: string | undefined;
  readonly output?: string | undefined;
}

export interface LabStatus {
  readonly lab: string;
  readonly topology: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly up: boolean;
    readonly pid: number | undefined;
    readonly addresses: readonly string[];
  }[];
  readonly workloads: readonly {
    readonly name: string;
    readonly node: string;
    readonly up: boolean;
    readonly ipv4: string | undefined;
    readonly ipv6: string | undefined;
  }[];
  readonly sessions: readonly SessionPair[];
}

/** @returns 1 when something of the lab does not stand */
export async function labStatus({ lab: name, output }: LabStatusOptions, screen: Screen): Promise<number> {
  const machine = machineOf(name);
  if (machine !== undefined)
    return inMachine(
      machine,
      ['lab', 'status', machine.lab, ...(output === undefined ? [] : ['--output', output])],
      (text) => screen.out(text),
    );
  const status = await statusOf(unwrap(openLab(name)));
  screen.out(output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : draw(status, painter(screen)));
  const whole = [...status.nodes, ...status.workloads].every(({ up }) => up);
  return whole && status.sessions.every(({ established }) => established) ? 0 : 1;
}

async function statusOf({ topology, state, ...lab }: RunningLab): Promise<LabStatus> {
  const running: RunningLab = { topology, state, ...lab };
  const [addresses, sessions] = await Promise.all([addressesByNode(running), lookAtSessions(running)]);
  return {
    lab: topology.name,
    topology: topology.file,
    nodes: topology.nodes.map(({ name, role }) => {
      const init = state.nodes[name]?.init;
      const up = init !== undefined && isAlive(init);
      return { name, role, up, pid: up ? init.pid : undefined, addresses: [...(addresses.get(name) ?? [])] };
    }),
    workloads: Object.entries(state.workloads).map(([name, { node, addresses: own, process: program }]) => ({
      name,
      node,
      up: program !== undefined && isAlive(program),
      ipv4: own.ipv4,
      ipv6: own.ipv6,
    })),
    sessions,
  };
}

function draw(status: LabStatus, paint: Paint): string {
  const mark = (up: boolean): string => (up ? paint('green', 'up') : paint('red', 'down'));
  const head = (...titles: string[]): string[] => titles.map((title) => paint('dim', title));
  const down = status.sessions.filter(({ established }) => !established);
  const parts = [
    `Lab ${paint('bold', status.lab)}, from ${status.topology}\n\n`,
    columns([
      head('NODE', 'ROLE', 'STATE', 'PID', 'ADDRESSES'),
      ...status.nodes.map(({ name, role, up, pid, addresses }) => [
        name,
        role,
        mark(up),
        String(pid ?? ''),
        addresses.join(' '),
      ]),
    ]),
  ];
  if (status.workloads.length > 0)
    parts.push(
      '\n',
      columns([
        head('WORKLOAD', 'NODE', 'STATE', 'IPV4', 'IPV6'),
        ...status.workloads.map(({ name, node, up, ipv4, ipv6 }) => [
          name,
          node,
          mark(up),
          ipv4 ?? '',
          ipv6 ?? '',
        ]),
      ]),
    );
  parts.push(
    `\n  BGP: ${status.sessions.length - down.length} of ${status.sessions.length} sessions Established on both sides\n`,
    columns(
      down.map(({ left, right, family, leftState, rightState }) => [
        paint('red', `${left} – ${right}`),
        `IPv${family}`,
        `${leftState} at ${left}, ${rightState} at ${right}`,
      ]),
      '    ',
    ),
  );
  return parts.join('');
}
