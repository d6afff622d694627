/** What the quickstart says before and after its steps. */
import { type Paint, columns } from '../terminal/screen.ts';
import { type Matrix, wrongCells } from '../verdict/matrix.ts';
import type { RunningLab } from '../runner/lab.ts';

export const PICTURE = `
                      spine             AS 65000  BIRD
                     /     \\
                tor-a       tor-b       AS 65001  BIRD     AS 65002  FRR
                /   \\       /   \\
              a1     a2   b1     b2     AS 65101           AS 65102      Poplin nodes
              |      |    |      |
           workloads with addresses and policy
`.slice(1);

export function farewell(lab: RunningLab, matrix: Matrix | undefined, seconds: number, paint: Paint): string {
  const poplin = lab.state.linkedCommand ? 'poplin' : 'bin/poplin';
  const good = matrix === undefined || wrongCells(matrix).length === 0;
  const verdict = good
    ? paint(
        'green',
        `The lab stands and everything is as it should be (${seconds.toFixed(0)} s). It keeps running.`,
      )
    : paint('red', 'The lab stands, but not everything is as it should be; see above. It keeps running.');
  const workloads = Object.entries(lab.state.workloads).map(([name, { node, addresses }]) => [
    paint('bold', name),
    `on ${node}`,
    addresses.ipv4 ?? '',
    addresses.ipv6 ?? '',
  ]);
  const tries: readonly (readonly [string, string])[] = [
    [`${poplin} get nodes -o wide`, 'the nodes and their addresses'],
    [`${poplin} node status`, 'BGP as each node sees it'],
    [`${poplin} ipam show --show-blocks`, 'who holds which addresses'],
    [`${poplin} lab exec tor-a -- birdc show route`, 'what the BIRD router has learned'],
    [`${poplin} lab test`, 'the matrix again; first edit topologies/quickstart/policies.yaml'],
  ];
  const hint = `${poplin} apply -f topologies/quickstart/policies.yaml`;
  return [
    `\n  ${verdict}\n\n`,
    columns(workloads),
    `\n  ${paint('bold', 'Five things to try')}\n\n`,
    columns(tries.map(([command, what]) => [paint('cyan', command), paint('dim', what)])),
    `    ${paint('dim', `and put the edit in force with: ${hint}`)}\n`,
    `\n  Remove everything:  ${paint('cyan', 'npm run quickstart -- down')}\n\n`,
  ].join('');
}
