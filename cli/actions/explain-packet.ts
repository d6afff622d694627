/**
 * explain packet: what policy in the datastore says to a packet, what staged policies would make of it, and what the rules
 * in the kernels that it crosses say. Where kernel and policy differ it is an alarm.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import type { Explanation } from '../../felix-lite/daemon/explain.ts';
import { type Judgement, judge } from '../../felix-lite/explain/evaluate.ts';
import type { Packet } from '../../felix-lite/explain/packet.ts';
import { enforceStaged } from '../../felix-lite/explain/staged.ts';
import { World } from '../../felix-lite/explain/world.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { chooseRunDirs } from '../context.ts';
import { drawService, drawVerdict, type KernelSays, type Verdict } from '../output/explain-packet.ts';
import { structured } from '../output/structured.ts';
import {
  type Asked,
  type End,
  endOf,
  packetsBetween,
  readAsked,
  readPolicyResources,
  workloadName,
} from '../resources/policy-world.ts';
import { serviceAt, type ServiceTarget } from '../resources/services.ts';
import { withStore } from '../store.ts';
import type { explainPacketTable } from '../tables/policy.ts';
import type { Terminal } from '../terminal.ts';

type ExplainArguments = Arguments<typeof explainPacketTable>;

/** Longer than felix-lite looks again while policy changes. */
const DEADLINE_MS = 20_000;

export const explainPacket: Action<ExplainArguments> = async (args, terminal) => {
  if (args.from === undefined || args.to === undefined) throw new UsageError('give both --from and --to');
  const asked = readAsked(args.protocol, args.port);
  const all = await withStore(args, terminal, readPolicyResources);
  const staged = enforceStaged(all);
  const worlds = { now: new World(all), staged: new World(staged.resources), renamed: staged.renamed };
  const from = endOf(worlds.now, args.from);
  const service = serviceAt(all, args.to, asked, from.endpoint?.spec.node);
  const targets = targetsOf(worlds.now, args.to, asked, service);
  const packets = targets.flatMap(({ to, asked: told }) =>
    packetsBetween(from, to, told).map((packet) => ({ to, packet })),
  );
  if (packets.length === 0 && (service === undefined || service.backends.length > 0)) {
    const name = service === undefined ? targets[0]?.to.name : `service ${service.service}`;
    throw new UsageError(`${from.name} and ${name ?? ''} have no IP version in common`);
  }
  const verdicts = await Promise.all(
    packets.map(async ({ to, packet }): Promise<Verdict> => {
      const said = saysOf(worlds.now, from, to, packet);
      const kernels = args.kernel === 'skip' ? [] : await askKernels(args, terminal, packet, said.allowed);
      // Host endpoints are asked on the way, which only a node knows.
      const stopped = kernels.some((each) => 'model' in each && !each.model.allowed);
      const trial = stagedOf(worlds, from, to, packet);
      const sentOn = service === undefined ? undefined : sentOnBy(service, packet);
      return {
        ...said,
        ...(sentOn === undefined ? {} : { service: sentOn }),
        to: to.name,
        ...(packet.destinationPort === undefined ? {} : { port: packet.destinationPort }),
        allowed: said.allowed && !stopped,
        ...(trial === undefined ? {} : { staged: trial }),
        kernels,
        alarm: kernels.some(({ alarm }) => alarm !== undefined),
      };
    }),
  );
  terminal.out(
    structured(verdicts, args.output) ??
      [
        ...(service === undefined ? [] : [drawService(service, verdicts)]),
        ...verdicts.map((each) => drawVerdict(each, from.name, args.kernel === 'all')),
      ].join('\n'),
  );
  for (const { alarm } of verdicts.flatMap(({ kernels }) => kernels))
    if (alarm !== undefined) terminal.err(`ALARM: ${alarm}\n`);
  if (verdicts.some(({ alarm }) => alarm)) return EXIT.alarm;
  return verdicts.length > 0 && verdicts.every(({ allowed }) => allowed) ? EXIT.ok : EXIT.failure;
};

/**
 * Where the packet goes in the end: each endpoint that a service may choose, or the one that was named. A service has no use
 * for endpoints of an IP version of which it has no address.
 */
function targetsOf(
  world: World,
  text: string,
  asked: Asked,
  service: ServiceTarget | undefined,
): readonly { readonly to: End; readonly asked: Asked }[] {
  if (service === undefined) return [{ to: endOf(world, text), asked }];
  const versions = new Set(service.addresses.map(({ version }) => version));
  return service.backends
    .filter(({ address }) => versions.has(address.version))
    .map(({ address, port }) => {
      const { endpoint } = endOf(world, address.toString());
      const name = endpoint === undefined ? address.toString() : workloadName(endpoint);
      return { to: { name, endpoint, addresses: [address] }, asked: { ...asked, port } };
    });
}

function sentOnBy({ service, by, addresses, port }: ServiceTarget, { source }: Packet): Verdict['service'] {
  const address = addresses.find(({ version }) => version === source.version);
  return address === undefined ? undefined : { name: service, by, address: address.toString(), port };
}

type Says = Pick<Verdict, 'version' | 'source' | 'destination' | 'allowed' | 'egress' | 'ingress'>;

function saysOf(world: World, from: End, to: End, packet: Packet): Says {
  const { source, destination } = packet;
  const egress = from.endpoint === undefined ? undefined : judge(world, from.endpoint, 'egress', packet);
  const ingress = to.endpoint === undefined ? undefined : judge(world, to.endpoint, 'ingress', packet);
  return {
    version: source.version,
    source: source.toString(),
    destination: destination.toString(),
    allowed: egress?.allowed !== false && ingress?.allowed !== false,
    egress,
    ingress,
  };
}

/** Undefined where staged policies are asked nothing about this packet. */
function stagedOf(
  {
    now,
    staged,
    renamed,
  }: { readonly now: World; readonly staged: World; readonly renamed: ReadonlyMap<string, string> },
  from: End,
  to: End,
  packet: Packet,
): Verdict['staged'] {
  if (renamed.size === 0) return undefined;
  const before = saysOf(now, from, to, packet);
  const after = saysOf(staged, from, to, packet);
  const name = (judgement: Judgement | undefined): Judgement | undefined =>
    judgement === undefined
      ? undefined
      : {
          ...judgement,
          steps: judgement.steps.map((step) => ({ ...step, asked: renamed.get(step.asked) ?? step.asked })),
        };
  const [egress, ingress] = [name(after.egress), name(after.ingress)];
  const isSame = JSON.stringify([before.egress, before.ingress]) === JSON.stringify([egress, ingress]);
  return isSame ? undefined : { allowed: after.allowed, egress, ingress };
}

/** Of the nodes at hand, those that the packet crosses, and those that cannot be asked. */
async function askKernels(
  args: ExplainArguments,
  terminal: Terminal,
  { source, destination, protocol, destinationPort, icmpType, icmpCode }: Packet,
  allowed: boolean,
): Promise<readonly KernelSays[]> {
  const query = new URLSearchParams({
    source: source.toString(),
    destination: destination.toString(),
    protocol: String(protocol),
    ...(destinationPort === undefined ? {} : { port: String(destinationPort) }),
    ...(icmpType === undefined ? {} : { type: String(icmpType), code: String(icmpCode ?? 0) }),
  });
  const places = chooseRunDirs(args['run-dir'], [], terminal.env, folders);
  const answers = await Promise.all(
    places.map(async ({ node, runDir }): Promise<KernelSays | undefined> => {
      const socket = join(runDir, 'felix.sock');
      const answer = await askControl<Explanation>(socket, 'GET', `/explain?${query.toString()}`, {
        deadlineMs: DEADLINE_MS,
      });
      if (!answer.ok) return { node: node ?? runDir, why: answer.problems.map(formatProblem).join('; ') };
      return kernelSays(answer.value, allowed);
    }),
  );
  return answers.filter((each) => each !== undefined);
}

function kernelSays(explanation: Explanation, allowed: boolean): KernelSays | undefined {
  const { node, kernel } = explanation;
  if (kernel === undefined) return undefined;
  const told = kernel.lastError === undefined ? '' : `; felix-lite could not write: ${kernel.lastError}`;
  const alarm =
    kernel.agrees === false
      ? `the kernel of ${node} ${word(kernel.allowed === true)} what policy ${word(kernel.model.allowed)}${told}; see poplin node status and the log of felix-lite`
      : explanation.allowed === allowed
        ? undefined
        : `felix-lite of ${node} ${word(explanation.allowed)} what policy in the datastore ${word(allowed)}: it follows another state of the datastore, or another datastore${told}; see poplin node status`;
  return { node, ...kernel, ...(alarm === undefined ? {} : { alarm }) };
}

function word(yes: boolean): string {
  return yes ? 'lets through' : 'stops';
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
