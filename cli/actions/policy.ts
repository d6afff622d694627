/** explain packet, policy matrix: the evaluator of policy over what the datastore holds. */
import { type Resource, unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { CALC_KINDS } from '../../felix-lite/calc/calculator.ts';
import { type Judgement, judge } from '../../felix-lite/explain/evaluate.ts';
import type { Packet } from '../../felix-lite/explain/packet.ts';
import { owns, World } from '../../felix-lite/explain/world.ts';
import { Address, type IpVersion } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { structured } from '../output/structured.ts';
import { withStore } from '../store.ts';
import type { Terminal } from '../terminal.ts';
import type { explainPacketTable, policyMatrixTable } from '../tables/policy.ts';

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1 };
const ICMP = 1;
const ICMPV6 = 58;
const ECHO: Readonly<Record<IpVersion, number>> = { 4: 8, 6: 128 };

interface End {
  readonly name: string;
  readonly endpoint: WorkloadEndpoint | undefined;
  readonly addresses: readonly Address[];
}

interface Verdict {
  readonly version: IpVersion;
  readonly source: string;
  readonly destination: string;
  readonly allowed: boolean;
  /** An end that is no workload has no say. */
  readonly egress: Judgement | undefined;
  readonly ingress: Judgement | undefined;
}

interface Asked {
  readonly protocol: number;
  readonly port: number | undefined;
}

export const explainPacket: Action<Arguments<typeof explainPacketTable>> = async (args, terminal) => {
  if (args.from === undefined || args.to === undefined) throw new UsageError('give both --from and --to');
  const asked = readAsked(args.protocol, args.port);
  const world = await readWorld(args, terminal);
  const [from, to] = [endOf(world, args.from), endOf(world, args.to)];
  const verdicts = verdictsOn(world, from, to, asked);
  if (verdicts.length === 0) throw new UsageError(`${from.name} and ${to.name} have no IP version in common`);
  terminal.out(
    structured(verdicts, args.output) ?? verdicts.map((each) => draw(each, from, to)).join('\n\n'),
  );
  return verdicts.every(({ allowed }) => allowed) ? EXIT.ok : EXIT.failure;
};

export const policyMatrix: Action<Arguments<typeof policyMatrixTable>> = async (args, terminal) => {
  const namespace = args.namespace ?? 'default';
  const asked = readAsked(args.protocol, args.port);
  const world = await readWorld(args, terminal);
  const ends = world.workloads
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map((endpoint) => endOfWorkload(world, endpoint))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = ends.map((from) => ({
    from: from.name,
    to: Object.fromEntries(
      ends.filter((to) => to !== from).map((to) => [to.name, wordFor(verdictsOn(world, from, to, asked))]),
    ),
  }));
  const text = structured(rows, args.output);
  if (text !== undefined || ends.length === 0) {
    terminal.out(text ?? `no workloads in namespace ${namespace}\n`);
    return EXIT.ok;
  }
  const table = [
    ['FROM \\ TO', ...ends.map(({ name }) => name)],
    ...rows.map(({ from, to }) => [from, ...ends.map(({ name }) => to[name] ?? '-')]),
  ];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  terminal.out(
    table
      .map((row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .map((line) => `${line}\n`)
      .join(''),
  );
  return EXIT.ok;
};

function readAsked(protocol: string, port: number | undefined): Asked {
  const number = PROTOCOLS[protocol.toLowerCase()] ?? Number(protocol);
  if (!Number.isInteger(number) || number < 1 || number > 255)
    throw new UsageError(
      `${protocol} is not a protocol: use tcp, udp, sctp, icmp, or a number from 1 to 255`,
    );
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new UsageError(`${port} is not a port from 1 to 65535`);
  return { protocol: number, port };
}

async function readWorld(
  args: { readonly datastore: string | undefined },
  terminal: Terminal,
): Promise<World> {
  return withStore(args, terminal, async ({ client }) => {
    const lists: Resource[][] = [];
    for (const kind of CALC_KINDS) lists.push([...unwrap(await client.list(kind))]);
    return new World(lists.flat());
  });
}

/** A workload by namespace and pod, or an address, whose owner is asked if it has one. */
function endOf(world: World, text: string): End {
  const address = Address.parse(text);
  if (address !== undefined) {
    const endpoint = world.workloads.find((each) => owns(world.workload(each), address));
    return { name: text, endpoint, addresses: [address] };
  }
  const found = world.workloads.find((each) => nameOf(each) === text);
  if (found === undefined)
    throw new UsageError(`there is no workload ${text}: give NAMESPACE/POD, or an address`);
  return endOfWorkload(world, found);
}

function endOfWorkload(world: World, endpoint: WorkloadEndpoint): End {
  const addresses = world.workload(endpoint).prefixes.map((prefix) => prefix.address);
  return { name: nameOf(endpoint), endpoint, addresses };
}

function nameOf({ metadata, spec }: WorkloadEndpoint): string {
  return `${metadata.namespace ?? ''}/${spec.pod ?? spec.workload ?? metadata.name}`;
}

function verdictsOn(world: World, from: End, to: End, { protocol, port }: Asked): readonly Verdict[] {
  return ([4, 6] as const).flatMap((version): readonly Verdict[] => {
    const source = from.addresses.find((each) => each.version === version);
    const destination = to.addresses.find((each) => each.version === version);
    if (source === undefined || destination === undefined) return [];
    const icmp = protocol === ICMP || protocol === ICMPV6;
    const packet: Packet = {
      source,
      destination,
      protocol: protocol === ICMP && version === 6 ? ICMPV6 : protocol,
      ...(port === undefined ? {} : { destinationPort: port }),
      ...(icmp ? { icmpType: ECHO[version], icmpCode: 0 } : {}),
    };
    const egress = from.endpoint === undefined ? undefined : judge(world, from.endpoint, 'egress', packet);
    const ingress = to.endpoint === undefined ? undefined : judge(world, to.endpoint, 'ingress', packet);
    const allowed = egress?.allowed !== false && ingress?.allowed !== false;
    return [
      { version, source: source.toString(), destination: destination.toString(), allowed, egress, ingress },
    ];
  });
}

function wordFor(verdicts: readonly Verdict[]): string {
  const passing = verdicts.filter(({ allowed }) => allowed);
  if (passing.length === 0) return 'no';
  return passing.length === verdicts.length ? 'yes' : passing.map(({ version }) => `IPv${version}`).join(',');
}

function draw(
  { version, source, destination, allowed, egress, ingress }: Verdict,
  from: End,
  to: End,
): string {
  return [
    `IPv${version} ${source} -> ${destination}: ${allowed ? 'allowed' : 'stopped'}`,
    ...drawSide(`egress of ${from.name}`, egress),
    // What the source may not send, the destination is never asked about.
    ...(egress?.allowed === false ? [] : drawSide(`ingress of ${to.name}`, ingress)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function drawSide(title: string, judgement: Judgement | undefined): readonly string[] {
  if (judgement === undefined) return [`  ${title}: no workload, no policy`];
  const last = judgement.steps.length - 1;
  return [
    `  ${title}: ${judgement.allowed ? 'allowed' : 'stopped'}`,
    ...judgement.steps.map(({ asked, field, said }, index) => {
      const place = field === undefined ? '' : ` ${field}`;
      return `  ${index === last ? '=>' : '  '} ${asked}${place}: ${said}`;
    }),
  ];
}
