/** `moonwire publish`: a message to the subscribers of a channel. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions, Payload } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';
import { printable } from './table.js';

/** Publishes; returns the exit code, which is `failed` when some subscribers did not get it. */
export async function publish(
  client: ApiClient,
  channel: string,
  payload: Payload,
  { json }: ApiOptions,
): Promise<number> {
  const result = await client.call('/v1/mesh/publish', { c: channel, ...payload });
  const [success, fail] = [Number(result.s), Number(result.f)];
  if (json) printJson({ channel, success, fail });
  else print(`${success} subscribers of ${printable(channel)} have it, ${fail} do not`);
  return fail === 0 ? EXIT.done : EXIT.failed;
}
