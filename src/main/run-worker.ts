/** Runs a worker: an engine whose connections and API are in the hands of the primary that started this process. */

import type { ApiMonitor } from '../api/route.js';
import { MoonwireError } from '../errors.js';
import type { ToWorker } from '../workers/messages.js';
import { type RunningWorker, type RunWorker, WorkerProcess } from '../workers/worker-process.js';
import { opening, type Setting } from './process.js';
import { runEngine } from './run-engine.js';

/** Takes part in the primary's work until it says otherwise, or is gone. Throws when no primary started the process. */
export function startWorker(): void {
  if (!process.send)
    throw new MoonwireError('invalid_argument', 'only a primary runs this command (engine.workers)');
  // The primary says when it is time, to all of them; a terminal or service manager signals each process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  // Its successor is to have the store at once.
  process.on('disconnect', () => process.exit(1));
  const worker = new WorkerProcess(process, run, (code) => process.exit(code));
  process.on('message', (message, handle) => worker.receive(message as ToWorker, handle));
}

const run: RunWorker = ({ config, addresses, api }, log, sockets, continuation) => {
  const start = async (setting: Setting): Promise<RunningWorker> => {
    const { watchdog, logging } = config;
    // It goes on when the worker is begun again.
    if (watchdog.seconds > 0 && !continuation.engine)
      (await import('../boards/loop-watchdog.js')).watchLoop(watchdog.seconds, logging.filename);
    let monitor: ApiMonitor | undefined;
    let host: Awaited<ReturnType<RunWorker>>['host'] | undefined;
    const {
      engine,
      estate,
      heir,
      alive,
      continuation: kept,
    } = await runEngine({ ...setting, sockets }, addresses, async (_setting, ownHost, _api, own) => {
      host = ownHost;
      monitor = own;
      return api;
    });
    return {
      host: host!,
      monitor: monitor!,
      queues: engine.queues,
      alive,
      estate,
      heir,
      continuation: { engine: kept.engine },
      stop: setting.closing.run,
    };
  };
  return opening(config, log, {}, start, continuation);
};
