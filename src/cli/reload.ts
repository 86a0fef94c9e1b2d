/** `moonwire reload`: lets saved scripts take over from those that run. */

import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, rowsOf, textOf } from './output.js';
import { printable } from './table.js';

export interface ReloadCommandOptions extends ApiOptions {
  /** Name of a server or link; undefined: all. */
  readonly server?: string;
  readonly force?: true;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  reloaded: 'runs the saved script',
  unchanged: 'nothing was saved',
  refused: 'refused, the old script goes on',
};

/** Digits of a hash that are shown. */
const HASH_DIGITS = 12;

/** Reloads and prints what became of each server and link; the exit code says whether one was refused. */
export async function reload(
  client: ApiClient,
  { server, force, json }: ReloadCommandOptions,
): Promise<number> {
  const answer = await client.create('/v1/scripts/reload', {
    ...(server !== undefined && { server }),
    ...(force && { force }),
  });
  const reloads = rowsOf(answer.reloads);
  for (const item of reloads) {
    if (json) printJson(item);
    else for (const line of describe(item)) print(printable(line));
  }
  return reloads.some(({ outcome }) => outcome === 'refused') ? EXIT.failed : EXIT.done;
}

function describe({ server, outcome, reason, changed }: Record<string, unknown>): string[] {
  const what = OUTCOMES[textOf(outcome)] ?? textOf(outcome);
  const why = reason === undefined ? '' : `: ${textOf(reason).replace(/\s*\n\s*/g, '; ')}`;
  const files = rowsOf(changed).map(
    ({ file, from, to }) => `  ${textOf(file)} ${short(from)} -> ${short(to)}`,
  );
  return [`${textOf(server)}: ${what}${why}`, ...files];
}

function short(hash: unknown): string {
  return textOf(hash).slice(0, HASH_DIGITS) || 'none';
}
