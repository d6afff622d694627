/** The thread of `read-config.ts`: one text in, one answer out. */
import { parentPort, workerData } from 'node:worker_threads';
import { checkRouter } from '../config/index.ts';
import type { ConfigText } from './read-config.ts';

const { text, file } = workerData as ConfigText;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
parentPort?.postMessage(checkRouter(text, file));
