/** `moonwire command`: commands a device, and waits for what becomes of it. */

import { setTimeout as wait } from 'node:timers/promises';
import { MoonwireError } from '../errors.js';
import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, remark, textOf } from './output.js';
import { printable } from './table.js';

/** How a device is commanded. */
export interface CommandOptions extends ApiOptions {
  /** Seconds within which it must have been begun. */
  readonly ttl: number;
  /** Seconds to wait for its end. */
  readonly wait: number;
  readonly key?: string;
  readonly idempotent?: true;
}

/** Milliseconds between two looks, at first and at last. */
const FIRST_LOOK_MS = 50;
const LAST_LOOK_MS = 1000;

type Row = Record<string, unknown>;

/** Parameters from words such as `level=3`: what is JSON is read as that, everything else is text. */
export function paramsOf(words: readonly string[]): Record<string, unknown> | undefined {
  const pairs = words.map((word) => {
    const at = word.indexOf('=');
    return at < 1 ? undefined : ([word.slice(0, at), valueIn(word.slice(at + 1))] as const);
  });
  return pairs.every((pair) => pair !== undefined) ? Object.fromEntries(pairs) : undefined;
}

function valueIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Gives the command and waits; returns the exit code. */
export async function command(
  client: ApiClient,
  device: string,
  name: string,
  params: Record<string, unknown>,
  options: CommandOptions,
): Promise<number> {
  const { ttl, key, idempotent = false, json } = options;
  const given = await client.create(`/v1/devices/${encodeURIComponent(device)}/commands`, {
    name,
    params,
    ttl,
    idempotent,
    ...(key !== undefined && { idempotencyKey: key }),
  });
  const ended = await untilEnd(client, given, options.wait);
  if (json) printJson(ended);
  return tell(ended, json !== undefined);
}

/** The command as it stands when it has ended, or when the time is over. A centre that is away may come back. */
async function untilEnd(client: ApiClient, given: Row, seconds: number): Promise<Row> {
  const deadline = performance.now() + seconds * 1000;
  let command = given;
  for (let pause = FIRST_LOOK_MS; isOpen(command); pause = Math.min(LAST_LOOK_MS, pause * 1.5)) {
    const left = deadline - performance.now();
    if (left <= 0) break;
    await wait(Math.min(pause, left));
    try {
      command = await client.get(`/v1/commands/${textOf(given.id)}`);
    } catch (error) {
      if (!(error instanceof MoonwireError)) throw error;
    }
  }
  return command;
}

function isOpen({ state }: Row): boolean {
  return state === 'queued' || state === 'sent';
}

function tell({ id, state, result, error }: Row, silent: boolean): number {
  const why = error === undefined ? '' : `: ${textOf(error)}`;
  switch (state) {
    case 'done':
      if (!silent) print(result === undefined ? `done${why}` : printable(textOf(result)));
      return EXIT.done;
    case 'failed':
    case 'expired':
    case 'cancelled':
      remark(`command ${textOf(id)} ${state === 'failed' ? 'failed' : `was ${state}`}${why}`);
      return EXIT.failed;
    case 'unknown':
      remark(`command ${textOf(id)} was begun, and what became of it is unknown${why}`);
      return EXIT.timeout;
    default:
      remark(`command ${textOf(id)} is ${textOf(state)} still${why}`);
      return EXIT.timeout;
  }
}
