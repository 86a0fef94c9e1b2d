/** The worker's end of a restart: does the steps its primary asks for, each of them on its own engine. */

import { deserialize, serialize } from 'node:v8';
import type { Estate, Heir, SendHandle } from '../engine/handover/estate.js';
import { MoonwireError } from '../errors.js';
import type { RequestHandler } from '../uplink/requests.js';
import type { WorkerSetup } from './messages.js';

/** Steps of the worker that goes; those of `Estate`. */
export type EstateStep = keyof Estate;
/** Lets the worker that comes serve. */
export const BEGIN = 'begin';
/** Milliseconds a worker may take for one step; the longest is to drain what cannot be handed over, 16 s. */
export const STEP_MS = 30_000;

/** How a step is asked for. */
export function estateMethod(step: EstateStep): string {
  return `estate ${step}`;
}

/** What the worker is made of. */
export interface HandingOver {
  /** Its engine, for another process; `resume` opens once more what is to be open round it. */
  estate(): Estate;
  /** What it resumes with. */
  renew(setup: WorkerSetup): void;
  readonly send: SendHandle;
  /** Its engine, where that was taken over. */
  heir(): Heir;
}

/** Parameters and what a worker does, by step. What is for the other worker goes as bytes that nobody reads on the way. */
export function handingOver(worker: HandingOver): Map<string, RequestHandler> {
  let estate: Estate | undefined;
  let suspended = false;
  const own = (): Estate => {
    estate ??= worker.estate();
    return estate;
  };
  const steps: Record<EstateStep, RequestHandler> = {
    ahead: () => {
      estate = undefined;
      return own().ahead(worker.send);
    },
    rest: (params) => own().rest((params as { ms: number }).ms),
    suspend: () => {
      suspended = true;
      return own().suspend();
    },
    leave: async () => serialize(await own().leave(worker.send)),
    late: async () => serialize(await own().late()),
    // Its connections are accepted by the primary.
    letGo: (params) =>
      own().letGo((params as { refused: unknown }).refused, async (server) => {
        throw new MoonwireError('internal', `server ${server} accepts no connections here`);
      }),
    drain: () => own().drain(),
    goOn: () => own().goOn(),
    resume: async (params) => {
      if (!suspended) return;
      worker.renew((params as { setup: WorkerSetup }).setup);
      await own().resume();
      suspended = false;
    },
    abandon: () => own().abandon(),
  };
  const begin: RequestHandler = (params) => {
    const { late } = params as { late: Uint8Array | undefined };
    return worker.heir().goOn(late && deserialize(late));
  };
  const methods = Object.entries(steps).map(([step, run]): [string, RequestHandler] => [
    estateMethod(step as EstateStep),
    run,
  ]);
  return new Map([...methods, [BEGIN, begin]]);
}
