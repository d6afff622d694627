/**
 * Answers what the executable asks: reads the request, finds the attachment, keeps order, and turns whatever goes wrong
 * into the error that the specification wants. Work on one host interface happens one at a time, different ones together.
 */
import { formatProblem, PoplinError } from '../../api/index.ts';
import { type Clock, seconds } from '../../clock/clock.ts';
import { type Invocation, readInvocation } from '../../cni-plugin/environment.ts';
import { type CniError, CniCode, CniFailure, cniError, type CniOutcome } from '../../cni-plugin/error.ts';
import { type NetConf, readNetConf } from '../../cni-plugin/netconf.ts';
import type { PendingDeletions } from '../../cni-plugin/pending.ts';
import {
  type CniRequest,
  type CniResponse,
  errorResponse,
  readCniRequest,
  toResponse,
} from '../../cni-plugin/protocol.ts';
import { encodeResult } from '../../cni-plugin/result.ts';
import { type JsonObject, parseConfiguration, readHeader, versionForErrors } from '../../cni-plugin/stdin.ts';
import { olderThan } from '../../cni-plugin/version.ts';
import { Serial } from '../../ipam/serial.ts';
import { SharedGate } from '../shared-gate.ts';
import { add } from './add.ts';
import { type Attachment, attachmentOf } from './attachment.ts';
import { Burst } from './burst.ts';
import { CallLog } from './call-log.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { Delegate } from './delegate.ts';
import { misfitOf } from './misfit.ts';
import type { CniPorts } from './ports.ts';
import { passGates } from './readiness.ts';
import { type Swept, sweep } from './sweep.ts';

export interface Unready {
  readonly reason: string;
  /** Workloads that run already may suffer, too. */
  readonly limits?: true;
}

export interface CniServerOptions {
  readonly clock: Clock;
  /** Once the agent may work: a store that answers, a world that is known, old promises kept. */
  readonly ports: () => CniPorts | undefined;
  readonly pending: PendingDeletions;
  /** Why ADD would fail now, in sentences, strongest first; empty when it would work. */
  readonly unreadiness: () => Promise<readonly Unready[]>;
}

/** A deletion that cannot be understood would be owed for ever. */
const HOPELESS: readonly number[] = [
  CniCode.decodingFailure,
  CniCode.invalidEnvironment,
  CniCode.invalidConfiguration,
];

/** What becomes of a DEL that cannot be done now: promised for later, or, if it is an old promise, kept. */
type PutOff = (request: CniRequest, conf: NetConf, cause: CniError) => CniOutcome;

const keepOwing: PutOff = (_request, _conf, cause) => ({ ok: false, error: cause });

const MIB = 2 ** 20;
const DAY = 86_400_000;

const DONE: CniOutcome = { ok: true, output: undefined };

export class CniServer {
  readonly #options: CniServerOptions;
  readonly #gate = new SharedGate();
  readonly #serial = new Serial();
  readonly #burst: Burst;
  readonly #calls: CallLog;

  constructor(options: CniServerOptions) {
    this.#options = options;
    this.#burst = new Burst(options.clock);
    this.#calls = new CallLog(options.clock, () => options.ports()?.log);
  }

  /** Never rejects. */
  async handle(body: unknown): Promise<CniResponse> {
    const request = readCniRequest(body);
    if ('code' in request) return errorResponse(request, versionForErrors(undefined));
    const configuration = parseConfiguration(request.stdin);
    const version = versionForErrors(configuration.ok ? configuration.value : undefined);
    const begun = performance.now();
    const response = toResponse(await this.#outcome(request, this.#options.ports()), version);
    if (configuration.ok) this.#note(request, configuration.value, response, performance.now() - begun);
    return response;
  }

  /** In the file that the configuration asks for. */
  #note(request: CniRequest, configuration: JsonObject, response: CniResponse, millis: number): void {
    if (configuration['log_file_path'] === undefined) return;
    const conf = readNetConf(configuration, {});
    if (!conf.ok || conf.value.log === undefined) return;
    const { path, level, maxSize, maxAge, maxCount } = conf.value.log;
    this.#calls.write(
      { path, level, maxBytes: maxSize * MIB, maxAgeMs: maxAge * DAY, maxFiles: maxCount },
      {
        command: request.command,
        network: conf.value.name,
        containerId: request.env['CNI_CONTAINERID'] ?? '',
        ifName: request.env['CNI_IFNAME'] ?? '',
        response,
        millis,
      },
    );
  }

  #outcome(
    request: CniRequest,
    ports: CniPorts | undefined,
    putOff: PutOff = (...late) => this.#promise(...late),
  ): Promise<CniOutcome> {
    return this.#answer(request, ports, putOff).catch(
      (error: unknown): CniOutcome => ({ ok: false, error: this.#tell(error) }),
    );
  }

  /** Makes good what was promised while nobody was here. @returns how many are still owed */
  async drain(ports: CniPorts): Promise<number> {
    const { pending } = this.#options;
    let owed = 0;
    for (const { id, request } of pending.list()) {
      const outcome = await this.#outcome(request, ports, keepOwing);
      if (outcome.ok || HOPELESS.includes(outcome.error.code)) {
        pending.remove(id);
        continue;
      }
      ports.log.warn({ error: outcome.error }, 'a deletion that is owed failed');
      owed++;
    }
    return owed;
  }

  /** Leftovers of crashes, with nothing else under way. */
  sweep(ports: CniPorts): Promise<Swept> {
    return this.#gate.alone(() => sweep(ports));
  }

  async #answer(request: CniRequest, ports: CniPorts | undefined, putOff: PutOff): Promise<CniOutcome> {
    const invocation = readInvocation(request.env);
    if (!invocation.ok) return invocation;
    const configuration = parseConfiguration(request.stdin);
    if (!configuration.ok) return configuration;
    const header = readHeader(configuration.value, invocation.value.command);
    if (!header.ok) return header;
    const conf = readNetConf(configuration.value, invocation.value.args);
    if (!conf.ok) return conf;

    const { command } = invocation.value;
    if (command === 'VERSION') return DONE;
    const needed = NEEDS[command];
    if (needed !== undefined && olderThan(conf.value.cniVersion, needed)) {
      return {
        ok: false,
        error: cniError(
          CniCode.incompatibleVersion,
          `${command} came with version ${needed}, and the configuration says ${conf.value.cniVersion}; raise its cniVersion`,
        ),
      };
    }
    const delegate = Delegate.of(conf.value.ipam.type, request);
    if (command === 'STATUS') return this.#status(delegate);
    if (command === 'GC') return this.#gc(ports, conf.value, delegate);
    return this.#attached(ports, request, invocation.value, conf.value, putOff);
  }

  async #attached(
    ports: CniPorts | undefined,
    request: CniRequest,
    invocation: Invocation,
    conf: NetConf,
    putOff: PutOff,
  ): Promise<CniOutcome> {
    if (ports === undefined) {
      if (invocation.command === 'DEL') return putOff(request, conf, notReady());
      return { ok: false, error: notReady() };
    }
    const misfit = invocation.command === 'DEL' ? undefined : misfitOf(conf, ports.node);
    if (misfit !== undefined) return { ok: false, error: misfit };
    const attachment = attachmentOf(ports.node, conf.name, invocation);
    // A name that can name no endpoint never did: there is nothing to delete under it.
    if (!attachment.ok) return invocation.command === 'DEL' ? DONE : attachment;
    const delegate = Delegate.of(conf.ipam.type, request);
    switch (invocation.command) {
      case 'ADD':
        return this.#add(ports, attachment.value, invocation, conf, delegate);
      case 'DEL':
        return this.#del(ports, attachment.value, request, conf, putOff);
      default:
        await check(ports, attachment.value, invocation, conf);
        await delegate?.call('CHECK', ports.inventory.podCidrs);
        return DONE;
    }
  }

  async #add(
    ports: CniPorts,
    attachment: Attachment,
    invocation: Invocation,
    conf: NetConf,
    delegate: Delegate | undefined,
  ): Promise<CniOutcome> {
    // Before the order: a DEL of the same workload must not wait for a gate.
    await passGates(conf.readinessGates, this.#options.clock);
    const { endpoint, result } = await this.#ordered(attachment, () =>
      add(ports, attachment, invocation, conf, { burst: this.#burst, delegate }),
    );
    // Outside of the order: everything is recorded by now, and a DEL that overtakes us must not wait.
    const { name, namespace = '', resourceVersion = '' } = endpoint.metadata;
    const { policySetupSeconds: asked } = conf;
    // An agent that waits for nobody has no felix-lite beside it.
    const limit = ports.policyWait > 0 && asked !== undefined ? seconds(asked) : ports.policyWait;
    if (limit > 0 && !(await ports.status.waitUntilUp(namespace, name, resourceVersion, limit))) {
      ports.log.warn(
        { endpoint: name, namespace, waitedMs: limit },
        'felix-lite has not confirmed the policy; the workload starts, and its traffic is dropped until there is one',
      );
    }
    return { ok: true, output: encodeResult(result, conf.cniVersion) };
  }

  async #del(
    ports: CniPorts,
    attachment: Attachment,
    request: CniRequest,
    conf: NetConf,
    putOff: PutOff,
  ): Promise<CniOutcome> {
    try {
      const delegate = Delegate.of(conf.ipam.type, request);
      await this.#ordered(attachment, async () => {
        // A lease goes back the way it came. Where that fails it ends by itself, and no pod waits for it (specification, DEL).
        if (delegate?.needsInterface === true) await delegate.call('DEL').catch(() => {});
        await del(ports, attachment);
        if (delegate?.needsInterface === false) await delegate.call('DEL');
      });
      return DONE;
    } catch (error) {
      // The cable is out, only the store is away: the pod may go, the rest is owed.
      if (!isStoreFailure(error)) throw error;
      ports.log.warn(
        { container: attachment.containerId, error: String(error) },
        'deletion is put off until the datastore answers',
      );
      return putOff(request, conf, this.#tell(error));
    }
  }

  #promise(request: CniRequest, conf: NetConf, cause: CniError): CniOutcome {
    try {
      this.#options.pending.add(conf.name, request);
      return DONE;
    } catch (error) {
      const msg = `${cause.msg}; nor could the deletion be written down to be done later`;
      return { ok: false, error: cniError(CniCode.tryAgainLater, msg, String(error)) };
    }
  }

  async #gc(ports: CniPorts | undefined, conf: NetConf, delegate: Delegate | undefined): Promise<CniOutcome> {
    if (ports === undefined) return { ok: false, error: notReady() };
    const valid = conf.validAttachments;
    if (valid === undefined) return DONE;
    await this.#gate.alone(() =>
      sweep(
        ports,
        (record) =>
          record.network !== conf.name ||
          valid.some((one) => one.containerId === record.containerId && one.ifName === record.ifName),
      ),
    );
    await delegate?.call('GC', ports.inventory.podCidrs);
    return DONE;
  }

  async #status(delegate: Delegate | undefined): Promise<CniOutcome> {
    const reasons = await this.#options.unreadiness();
    if (reasons.length === 0) {
      await delegate?.call('STATUS', this.#options.ports()?.inventory.podCidrs);
      return DONE;
    }
    const [first, ...others] = reasons.map(({ reason }) => reason);
    const code = reasons.some(({ limits }) => limits) ? CniCode.notAvailableLimited : CniCode.notAvailable;
    return { ok: false, error: cniError(code, first ?? '', others.join('; ')) };
  }

  #ordered<T>(attachment: Attachment, work: () => Promise<T>): Promise<T> {
    return this.#gate.together(() => this.#serial.run(attachment.hostInterface, work));
  }

  #tell(error: unknown): CniError {
    if (error instanceof CniFailure) return error.error;
    const ports = this.#options.ports();
    ports?.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a CNI call failed');
    if (isStoreFailure(error)) {
      return cniError(
        CniCode.tryAgainLater,
        'the datastore does not answer; try again later',
        error.problems.map(formatProblem).join('; '),
      );
    }
    // What the endpoint was to be made of did not pass as a resource: a label, a MAC address.
    if (error instanceof PoplinError && error.problems.every(({ code }) => code.startsWith('FIELD_')))
      return cniError(CniCode.invalidConfiguration, error.problems.map(formatProblem).join('; '));
    if (error instanceof PoplinError)
      return cniError(CniCode.ioFailure, error.problems.map(formatProblem).join('; '));
    return cniError(
      CniCode.internal,
      'the node agent failed; this is a defect, its log has the details',
      String(error),
    );
  }
}

/** Versions in which commands came into the specification. */
const NEEDS: Readonly<Record<Invocation['command'], '0.4.0' | '1.1.0' | undefined>> = {
  ADD: undefined,
  DEL: undefined,
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
  VERSION: undefined,
};

function notReady(): CniError {
  return cniError(
    CniCode.tryAgainLater,
    'the Poplin node agent is starting: it has not reached its datastore yet; try again later',
  );
}

function isStoreFailure(error: unknown): error is PoplinError {
  return error instanceof PoplinError && error.problems.some(({ code }) => code.startsWith('STORE_'));
}
