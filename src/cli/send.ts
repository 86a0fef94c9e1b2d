/** `moonwire send`: a message to one client. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions, Payload } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';

/** Sends; returns the exit code, and throws what keeps it from being sent. */
export async function send(
  client: ApiClient,
  id: string,
  payload: Payload,
  { json }: ApiOptions,
): Promise<number> {
  await client.call('/v1/mesh/send', { c: id, ...payload });
  if (json) printJson({ client: id, sent: true });
  else print(`sent to client ${id}`);
  return EXIT.done;
}
