/** For tests: a terminal that remembers, and commands run as a user types them on a datastore of their own. */
import { join } from 'node:path';
import { SystemClock } from '../clock/system.ts';
import { openStore } from '../datastore/index.ts';
import { temporaryFolder } from '../datastore/testing.ts';
import { Ipam } from '../ipam/index.ts';
import { run } from './run.ts';
import type { Terminal } from './terminal.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CommandLine {
  /** A folder for files of the test; the datastore is in it. */
  readonly folder: string;
  /** Words are separated by single spaces; `stdin` is what the command reads from `-f -`. */
  (line: string, stdin?: string | Uint8Array): Promise<Ran>;
}

export function commandLine(): CommandLine {
  const folder = temporaryFolder();
  const poplin = async (line: string, stdin: string | Uint8Array = ''): Promise<Ran> => {
    let out = '';
    let err = '';
    const terminal: Terminal = {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      flushed: () => Promise.resolve(true),
      stdin: () => Promise.resolve(Buffer.from(stdin).toString()),
      octets: () => once(Buffer.from(stdin)),
      // No lab of this machine may lend its context to a test.
      env: { POPLIN_DATASTORE: join(folder, 'datastore.db'), POPLIN_CONTEXT: join(folder, 'none.json') },
      columns: undefined,
      colour: false,
    };
    const code = await run(line.split(' '), terminal);
    return { code, out, err };
  };
  return Object.assign(poplin, { folder });
}

async function* once(octets: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(octets);
}

export const pool = (name: string, cidr: string, extra = ''): string =>
  `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: ${name}}\nspec: {cidr: "${cidr}"${extra}}\n`;
export const policy = (name: string, extra = '', namespace = ''): string =>
  `apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: ${name}${namespace === '' ? '' : `, namespace: ${namespace}`}}\nspec: {selector: "role == 'web'"${extra}}\n`;
export const tier = `apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: platform}\nspec: {order: 100}\n`;
export const node = `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a1, labels: {rack: a}}\nspec: {bgp: {asNumber: 65101, ipv4Address: 10.0.0.1/24}}\n`;

/** Takes IPv4 addresses for a pod of node a1, as its agent would. */
export async function take(folder: string, pod: string, count: number): Promise<string[]> {
  const store = await openStore(join(folder, 'datastore.db'));
  try {
    const [namespace = '', name = ''] = pod.split('/');
    const assigned = await new Ipam(store, new SystemClock(), Math.random).autoAssign({
      host: 'a1',
      handle: `net.${namespace}-${name}`,
      attributes: { node: 'a1', namespace, pod: name },
      v4: count,
      v6: 0,
    });
    if (!assigned.ok) throw new Error(JSON.stringify(assigned.problems));
    return assigned.value.v4.map(String);
  } finally {
    await store.close();
  }
}

/** The endpoint of the pod default/web on node a1. */
export function endpoint(address: string): string {
  return `apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: a1-k8s-web-eth0, namespace: default}
spec: {orchestrator: k8s, node: a1, pod: web, endpoint: eth0, interfaceName: cali0123456789a, ipNetworks: ["${address}/32"]}
`;
}
