/** `moonwire forget`: frees the name of an engine that will not come back with its key. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';

/** Frees the name; returns the exit code, and throws what keeps it from being freed. */
export async function forget(client: ApiClient, name: string, { json }: ApiOptions): Promise<number> {
  await client.delete(`/v1/engines/${encodeURIComponent(name)}`);
  if (json) printJson({ engine: name, forgotten: true });
  else print(`the name ${name} is free`);
  return EXIT.done;
}
