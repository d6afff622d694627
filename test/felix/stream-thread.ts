/** The thread of `stream.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { StreamTask, Streamed } from './stream.ts';
import { type Flow, type Outcome, Wire } from './wire.ts';

/** Between one round of all flows and the next: no port comes round again while conntrack remembers it. */
const PAUSE_MS = 2;
/** A packet that is on its way for so long was cut. What arrives waits in its socket, however busy the machine is. */
const PATIENCE_MS = 3000;
/** After which a packet was stopped. */
const GRACE_MS = 300;
/** Looks at what arrived, before anything is late: one takes in the packet, the next its answer. */
const LOOKS = 3;
/** Of each kind, before it may end: so that nothing is proved of a stream that hardly ran. */
const ENOUGH = 101;
/** Then it ends with less. */
const LONG_MS = 60_000;
const SHOWN = 5;

interface Sent {
  readonly id: number;
  readonly flow: Flow;
  readonly outcome: Outcome;
  readonly at: number;
  /** A thread that the machine let lie was late itself, and not what it sent. */
  looks: number;
}

const { stations, flows } = workerData as StreamTask;
const wire = new Wire('stream');
for (const each of stations) wire.add(each);

let endsAfter = Number.POSITIVE_INFINITY;
let open: Sent[] = [];
const tally = { passed: 0, stopped: 0 };
const wrong: { cut: string[]; leaked: string[] } = { cut: [], leaked: [] };
const start = performance.now();

function sendAll(): void {
  for (const flow of flows) {
    const outcome = { arrived: false, answered: false };
    open.push({ id: wire.launch(flow, outcome), flow, outcome, at: performance.now(), looks: 0 });
  }
}

/** Settles those of which all is known. */
function settle(): void {
  wire.listen();
  const now = performance.now();
  open = open.filter((sent) => {
    const { id, flow, outcome, at } = sent;
    const isOk = outcome.arrived && outcome.answered;
    const isLate = ++sent.looks >= LOOKS && now - at > (flow.expected ? PATIENCE_MS : GRACE_MS);
    if (flow.expected ? !isOk && !isLate : !outcome.arrived && !isLate) return true;
    wire.forget(id);
    const said = `${flow.from} to ${flow.destination}, ${((at - start) / 1000).toFixed(3)} s after the start`;
    if (flow.expected && isOk) tally.passed++;
    else if (!flow.expected && !outcome.arrived) tally.stopped++;
    else if (flow.expected) wrong.cut.push(outcome.arrived ? `${said}: the answer` : said);
    else wrong.leaked.push(said);
    return false;
  });
}

function isEnough(): boolean {
  const now = performance.now();
  if (now < endsAfter) return false;
  const isSeen = flows.every(({ expected }) => (expected ? tally.passed : tally.stopped) >= ENOUGH);
  return isSeen || wrong.cut.length + wrong.leaked.length > 0 || now > endsAfter + LONG_MS;
}

function some(list: readonly string[]): readonly string[] {
  return list.length <= SHOWN ? list : [...list.slice(0, SHOWN), `and ${list.length - SHOWN} more`];
}

function tell(message: 'started' | Streamed): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- not a window
  parentPort?.postMessage(message);
}

async function* rounds(): AsyncGenerator<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    settle();
    yield;
  }
}

parentPort?.on('message', () => {
  endsAfter = performance.now();
});

sendAll();
tell('started');
for await (const _ of rounds()) {
  if (!isEnough()) sendAll();
  else if (open.length === 0) break;
}
wire.close();
tell({ ...tally, cut: some(wrong.cut), leaked: some(wrong.leaked) });
