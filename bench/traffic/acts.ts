/** What happens between the sessions standing and the result: one function for each kind of act. */
import { Address } from '../../net/addr/index.ts';
import { encodeOne, encodeTable, encodeWithdrawals, type Sender } from './encode.ts';
import type { Plan } from './plan.ts';
import type { TrafficSession } from './session.ts';

export interface Stage {
  readonly plan: Plan;
  readonly sessions: readonly TrafficSession[];
  /** Resolves when the condition holds; looked at whenever octets came in. */
  until(condition: () => boolean): Promise<void>;
}

export interface Scene {
  /** What goes before the clock runs: encode, load a table. */
  prepare(): Promise<void>;
  /** What is measured. */
  play(): Promise<readonly number[] | undefined>;
}

export function sceneOf(stage: Stage): Scene {
  const { act } = stage.plan;
  switch (act.kind) {
    case 'flood':
      return flood(stage);
    case 'flap':
      return flap(stage, act.times, act.prefix);
    case 'churn':
      return churn(stage, act.rounds);
    case 'death':
      return death(stage);
  }
}

function flood(stage: Stage): Scene {
  const tables = tablesOf(stage, 0);
  return {
    prepare: async () => undefined,
    play: async () => {
      for (const [session, octets] of tables) session.send(octets);
      await stage.until(waiting(stage));
      return undefined;
    },
  };
}

/** All receivers have all; cheap to ask often, as those that have all are asked no more. */
function waiting({ sessions }: Stage): () => boolean {
  const open = sessions.filter(({ station }) => station.expects !== undefined);
  return () => {
    for (let last = open.at(-1); last !== undefined && hasAll(last); last = open.at(-1)) open.pop();
    return open.length === 0;
  };
}

function hasAll({ station, tally }: TrafficSession): boolean {
  return tally.present >= (station.complete ?? station.expects?.count ?? 0);
}

async function load(stage: Stage): Promise<void> {
  await flood(stage).play();
}

function flap(stage: Stage, times: number, prefix: number): Scene {
  return {
    prepare: () => load(stage),
    play: async () => {
      const sender = stage.sessions.findLast(({ station }) => station.sends !== undefined);
      if (sender === undefined) throw new Error('a flap needs a sender');
      const watchers = stage.sessions.filter(({ station }) => station.expects !== undefined);
      const announce = encodeOne(senderOf(stage.plan, sender), prefix, prefix, prefix + 1);
      const withdraw = encodeWithdrawals(stage.plan.version, prefix, 1);
      const latencies: number[] = [];
      for (let i = 0; i < times; i++) {
        const up = i % 2 === 0;
        const from = performance.now();
        sender.send(up ? announce : withdraw);
        await stage.until(() => watchers.every(({ tally }) => tally.has(prefix) === up));
        latencies.push(performance.now() - from);
      }
      return latencies;
    },
  };
}

function churn(stage: Stage, rounds: number): Scene {
  const tables = Array.from({ length: rounds }, (_, i) => tablesOf(stage, i + 1));
  return {
    prepare: () => load(stage),
    play: async () => {
      for (const { tally } of stage.sessions) tally.countRound(rounds);
      for (const round of tables) for (const [session, octets] of round) session.send(octets);
      await stage.until(waiting(stage));
      return undefined;
    },
  };
}

function death(stage: Stage): Scene {
  return {
    prepare: () => load(stage),
    play: async () => {
      const sender = stage.sessions.find(({ station }) => station.sends !== undefined);
      const watchers = stage.sessions.filter(({ station }) => station.expects !== undefined);
      sender?.reset();
      await stage.until(() => watchers.every(({ tally }) => tally.present === 0));
      return undefined;
    },
  };
}

function tablesOf({ plan, sessions }: Stage, round: number): (readonly [TrafficSession, Uint8Array])[] {
  return sessions.flatMap((session) => {
    const { sends } = session.station;
    return sends === undefined
      ? []
      : [[session, encodeTable(senderOf(plan, session), sends, round)] as const];
  });
}

function senderOf({ version, target }: Plan, { station }: TrafficSession): Sender {
  const nextHop = Address.parse(station.address)?.toBytes();
  if (nextHop === undefined) throw new Error(`${station.address} is no address`);
  return { version, asn: station.asn, internal: station.asn === target.asn, nextHop };
}
