/** ipam gc: one round of the garbage collector that agents run, by hand. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seconds } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import { type Collected, Collector, type Doubt, type Finding, type Look } from '../../ipam/gc/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { structured } from '../output/structured.ts';
import { withStore } from '../store.ts';
import type { ipamGcTable } from '../tables/ipam.ts';
import type { Terminal } from '../terminal.ts';

type GcArguments = Arguments<typeof ipamGcTable>;

/** Looks on the way, so that a workload that is there for a moment is seen. */
const LOOKS = 4;

export const ipamGc: Action<GcArguments> = async (args, terminal) => {
  const grace = args['grace-period'];
  if (!(grace >= 0)) throw new UsageError('--grace-period needs a number of seconds, 0 or more');
  return withStore(args, terminal, async ({ store }) => {
    const collector = new Collector(store, new SystemClock(), Math.random, {
      grace: seconds(grace),
      longestGap: Number.POSITIVE_INFINITY,
    });
    const look = await collector.look({ confirmed: args.confirm });
    if (args['dry-run']) {
      terminal.out(structured(valueOf(look, []), args.output) ?? tellLook(look));
      return look.findings.length + look.doubts.length === 0 ? EXIT.ok : EXIT.failure;
    }
    const last = await lookAgain(collector, look, grace, args, terminal);
    const collected = await collector.collect(last.due);
    terminal.out(structured(valueOf(last, collected), args.output) ?? tellCollected(last, collected));
    return last.doubts.length > 0 || collected.some(({ outcome }) => outcome === 'failed')
      ? EXIT.failure
      : EXIT.ok;
  });
};

async function lookAgain(
  collector: Collector,
  first: Look,
  grace: number,
  args: GcArguments,
  terminal: Terminal,
): Promise<Look> {
  if (grace === 0 || first.findings.length === 0) return first;
  terminal.err(`${first.findings.length} finding(s); looking whether they stay, for ${grace} s\n`);
  let look = first;
  for (let i = 0; i < LOOKS; i++) {
    // A little longer than the part: the last look has to come after the grace period.
    await sleep((seconds(grace) / LOOKS) * 1.01 + 1);
    look = await collector.look({ confirmed: args.confirm });
  }
  return look;
}

function valueOf({ findings, due, doubts }: Look, collected: readonly Collected[]): object {
  const outcomes = new Map(collected.map(({ finding, outcome, error }) => [finding.id, { outcome, error }]));
  return {
    findings: findings.map((finding) => ({
      kind: finding.kind,
      what: subjectOf(finding),
      why: finding.why,
      due: due.includes(finding),
      outcome: outcomes.get(finding.id)?.outcome ?? null,
      error: outcomes.get(finding.id)?.error ?? null,
    })),
    doubts: doubts.map(({ code, what, confirmable }) => ({ code, what, confirmable })),
  };
}

function tellLook({ findings, doubts }: Look): string {
  const lines = findings.map((finding) => `would ${deedOf(finding)}: ${finding.why}\n`);
  return `${lines.join('')}${doubts.map(tellDoubt).join('')}${findings.length} finding(s). Nothing was changed.\n`;
}

function tellCollected({ findings, due, doubts }: Look, collected: readonly Collected[]): string {
  const lines = collected.map(({ finding, outcome, error }) => {
    switch (outcome) {
      case 'done':
        return `did ${deedOf(finding)}: ${finding.why}\n`;
      case 'passed':
        return `left ${subjectOf(finding)}: it is in order by now, or changed\n`;
      case 'failed':
        return `could not ${deedOf(finding)}: ${error ?? ''}\n`;
    }
  });
  const waiting = findings.length - due.length;
  const done = collected.filter(({ outcome }) => outcome === 'done').length;
  return [
    ...lines,
    ...doubts.map(tellDoubt),
    ...(waiting > 0 ? [`${waiting} finding(s) are too young, or in doubt, and were left alone\n`] : []),
    `Put ${done} of ${findings.length} finding(s) right.\n`,
  ].join('');
}

function tellDoubt({ what, holds, confirmable }: Doubt): string {
  const lift = confirmable ? 'if that is so, repeat with --confirm' : 'wait until that is over';
  return `in doubt about ${holds.join(', ')}: ${what}; ${lift}\n`;
}

function deedOf(finding: Finding): string {
  const subject = subjectOf(finding);
  switch (finding.kind) {
    case 'endpoint':
      return `delete WorkloadEndpoint ${subject}`;
    case 'address':
      return `release ${subject}, held by ${finding.handle ?? 'no handle'}`;
    case 'rested':
      return `free what has rested long enough in block ${subject}`;
    case 'handle':
      return `set the count of handle ${subject} right`;
    case 'lost-affinity':
      return `confirm block ${subject} for ${finding.owner}`;
    case 'stale-affinity':
      return `delete the affinity of ${finding.owner} to ${subject}`;
    case 'gone-node':
    case 'spare-block':
      return `release block ${subject} of ${finding.owner}`;
    case 'nobodys-block':
      return `delete block ${subject}`;
  }
}

function subjectOf(finding: Finding): string {
  switch (finding.kind) {
    case 'endpoint':
      return `${finding.namespace}/${finding.name}`;
    case 'address':
      return finding.address.toString();
    case 'handle':
      return finding.handle;
    default:
      return finding.cidr;
  }
}
