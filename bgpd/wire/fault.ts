/** Errors met in one UPDATE, each with what RFC 7606 makes of it. */
import { ERROR, notification } from './notification.ts';
import { OUTCOMES, type Check, type Outcome } from './attributes/codec.ts';
import { codecOf } from './attributes/table.ts';
import type { NotificationMessage } from './types.ts';

export interface Fault {
  readonly check: Check;
  /** Type code; undefined where the error lies in no attribute. */
  readonly attribute: number | undefined;
  /** Of the offending octet, from the start of the message. */
  readonly offset: number;
  /** What a NOTIFICATION over this error carries (RFC 4271 §6.3): mostly the attribute as it came. */
  readonly data: Uint8Array;
}

/** The strongest outcome of all (RFC 7606 §3 h); undefined without faults. */
export function strongest(faults: readonly Fault[]): Fault | undefined {
  let worst: Fault | undefined;
  for (const fault of faults) if (worst === undefined || rank(fault) > rank(worst)) worst = fault;
  return worst;
}

export function outcomeOf(faults: readonly Fault[]): Outcome | undefined {
  return strongest(faults)?.check.outcome;
}

function rank(fault: Fault): number {
  return OUTCOMES.indexOf(fault.check.outcome);
}

export function notificationOf(fault: Fault): NotificationMessage {
  return notification(ERROR.update, fault.check.subcode, fault.data);
}

/** `AS_PATH (2) at offset 31: segment has no AS number; treat-as-withdraw (RFC 7606 §7.2)`. */
export function formatFault({ check, attribute, offset }: Fault): string {
  return `${attributeName(attribute)} at offset ${offset}: ${check.when}; ${check.outcome} (${check.source})`;
}

/** Faults told in one line of a log: an UPDATE can have thousands. */
const FAULTS_TOLD = 3;

/** The fault that decides, the first few others, and how many more there are. */
export function formatFaults(faults: readonly Fault[]): string {
  const worst = strongest(faults);
  if (worst === undefined) return '';
  const told = [worst, ...faults.filter((fault) => fault !== worst).slice(0, FAULTS_TOLD - 1)];
  const more = faults.length - told.length;
  return told.map(formatFault).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

export function attributeName(code: number | undefined): string {
  if (code === undefined) return 'UPDATE';
  return `${codecOf(code)?.name ?? 'attribute'} (${code})`;
}
