/** A kubelet's side of the CRI (runtime.v1): sandboxes, over the runtime's Unix socket. Field numbers are those of its api.proto. */
import { Client, credentials } from '@grpc/grpc-js';
import { decode, type Decoded, encode, type Field, inner, text } from './protobuf.ts';

export interface Sandbox {
  readonly namespace: string;
  readonly name: string;
  /** Host port to port of the pod, TCP. */
  readonly ports?: readonly (readonly [number, number])[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const DEADLINE_MS = 30_000;

export class Cri {
  readonly #client: Client;
  readonly #cgroup: string;

  /** @param cgroup  in which all sandboxes are */
  constructor(socket: string, cgroup: string) {
    this.#cgroup = cgroup;
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure());
  }

  close(): void {
    this.#client.close();
  }

  /** @returns the id of the sandbox */
  async run({ namespace, name, ports = [], annotations = {} }: Sandbox): Promise<string> {
    const config: Field[] = [
      [
        1,
        [
          [1, name],
          [2, `uid-${name}`],
          [3, namespace],
          [4, 1],
        ],
      ],
      [2, name],
      [3, '/run/logs'],
      ...ports.map(
        ([host, pod]): Field => [
          5,
          [
            [2, pod],
            [3, host],
          ],
        ],
      ),
      ...Object.entries(annotations).map(
        ([key, value]): Field => [
          7,
          [
            [1, key],
            [2, value],
          ],
        ],
      ),
      [8, [[1, this.#cgroup]]],
    ];
    return text(await this.#call('RunPodSandbox', [[1, config]]), 1);
  }

  async stop(id: string): Promise<void> {
    await this.#call('StopPodSandbox', [[1, id]]);
  }

  async remove(id: string): Promise<void> {
    await this.#call('RemovePodSandbox', [[1, id]]);
  }

  /** The addresses of the sandbox, the first as the runtime sees it in front. */
  async addresses(id: string): Promise<string[]> {
    const network = inner(inner(await this.#call('PodSandboxStatus', [[1, id]]), 1), 5);
    const others = (network.get(2) ?? []).flatMap((ip) =>
      ip instanceof Buffer ? [text(decode(ip), 1)] : [],
    );
    return [text(network, 1), ...others];
  }

  /** Undefined while the network is ready, else why it is not. */
  async networkFault(): Promise<string | undefined> {
    const status = inner(await this.#call('Status', []), 1);
    for (const octets of status.get(1) ?? []) {
      const condition = octets instanceof Buffer ? decode(octets) : new Map<number, never>();
      if (text(condition, 1) !== 'NetworkReady') continue;
      return condition.get(2)?.[0] === 1 ? undefined : text(condition, 4);
    }
    return 'the runtime does not say';
  }

  #call(method: string, request: readonly Field[]): Promise<Decoded> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/runtime.v1.RuntimeService/${method}`,
        (fields: readonly Field[]) => encode(fields),
        (octets: Buffer) => decode(octets),
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (error, answer) => {
          if (error === null) resolve(answer ?? new Map());
          else reject(new Error(`${method}: ${error.message}`));
        },
      );
    });
  }
}
