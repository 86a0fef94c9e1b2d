/**
 * A thread that sees when the event loop hangs, and ends the process: where no service manager has a watchdog, or where it is
 * to be told what the process was doing. It costs about 7 MiB, and so is only started when it is asked for.
 */

import { Worker } from 'node:worker_threads';

/** Beats within the time after which the process is ended. */
const BEATS = 4;
/** Milliseconds between two beats at most. */
const MAX_BEAT_MS = 1000;

/** What the thread is given. */
export interface LoopWatch {
  /** Counts the turns of the event loop that were due. */
  readonly beats: Int32Array;
  /** Milliseconds without one after which the process is ended, and how often it looks meanwhile. */
  readonly ms: number;
  readonly looks: number;
  /** The log, where that is a file; standard error is told in any case. */
  readonly file: string | undefined;
}

/** Ends the process by SIGABRT once its event loop has not turned for so many seconds. `file`: where the log is. */
export function watchLoop(seconds: number, file?: string): void {
  const ms = seconds * 1000;
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const watch: LoopWatch = { beats, ms, looks: BEATS, file };
  const thread = new Worker(new URL('./loop-watchdog-thread.js', import.meta.url), {
    name: 'watchdog',
    workerData: watch,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32, stackSizeMb: 1 },
  });
  // Neither keeps a process alive that has nothing else to do.
  thread.unref();
  setInterval(() => Atomics.add(beats, 0, 1), Math.min(MAX_BEAT_MS, ms / BEATS / 2)).unref();
}
