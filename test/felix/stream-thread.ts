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
const SHOWN = 5;

interface Sent {
  readonly id: number;
  readonly flow: Flow;
  readonly outcome: Outcome;
  readonly at: number;
}

const { stations, flows } = workerData as StreamTask;
const wire = new Wire('stream');
for (const each of stations) wire.add(each);

let isOver = false;
let open: Sent[] = [];
const tally = { passed: 0, stopped: 0 };
const wrong: { cut: string[]; leaked: string[] } = { cut: [], leaked: [] };
const start = performance.now();

function sendAll(): void {
  for (const flow of flows) {
    const outcome = { arrived: false, answered: false };
    open.push({ id: wire.launch(flow, outcome), flow, outcome, at: performance.now() });
  }
}

/** Settles those of which all is known. */
function settle(): void {
  wire.listen();
  const now = performance.now();
  open = open.filter(({ id, flow, outcome, at }) => {
    const isOk = outcome.arrived && outcome.answered;
    const isLate = now - at > (flow.expected ? PATIENCE_MS : GRACE_MS);
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
  isOver = true;
});

sendAll();
tell('started');
for await (const _ of rounds()) {
  if (!isOver) sendAll();
  else if (open.length === 0) break;
}
wire.close();
tell({ ...tally, cut: some(wrong.cut), leaked: some(wrong.leaked) });
