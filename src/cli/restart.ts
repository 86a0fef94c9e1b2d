/** `moonwire restart`: replaces a running engine's process, its connections kept, and waits until the new one runs. */

import { setTimeout as wait } from 'node:timers/promises';
import { MoonwireError } from '../errors.js';
import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, remark, textOf } from './output.js';

/** Milliseconds between two looks. */
const LOOK_MS = 200;

/** Returns the exit code; throws what keeps a restart from beginning. */
export async function restart(
  client: ApiClient,
  { json, wait: seconds }: ApiOptions & { readonly wait: number },
): Promise<number> {
  const { pid } = await client.create('/v1/restart', {});
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await wait(LOOK_MS);
    const status = await look(client);
    if (!status || status.underWay) continue;
    if (json) printJson(status);
    if (status.pid === pid) {
      remark(textOf(status.failure));
      return EXIT.failed;
    }
    if (!json) print(told(status));
    return EXIT.done;
  }
  remark(`the restart is not over after ${seconds} s`);
  return EXIT.timeout;
}

/** Undefined while nobody answers: between the two processes there is no API for a moment. */
async function look(client: ApiClient): Promise<Record<string, unknown> | undefined> {
  try {
    return await client.get('/v1/restart');
  } catch (error) {
    if (error instanceof MoonwireError) return undefined;
    throw error;
  }
}

function told({ pid, arrived }: Record<string, unknown>): string {
  if (!arrived) return `process ${pid} runs, and began anew: the old one ended before it had handed over`;
  const { clients, listeners, closed } = arrived as {
    clients: number;
    listeners: number;
    closed: Record<string, number>;
  };
  const left = Object.entries(closed).map(([transport, count]) => `${count} ${transport}`);
  return (
    `process ${pid} runs: took over ${clients} clients and ${listeners} listeners` +
    (left.length > 0 ? `; closed, since they cannot be handed over: ${left.join(', ')}` : '')
  );
}
