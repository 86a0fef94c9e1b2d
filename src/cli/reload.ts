/** `moonwire reload`: puts the saved configuration in effect, and lets saved scripts take over. */

import { type ApiClient, ApiRefusal } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { print, printJson, rowsOf, textOf } from './output.js';
import { printable } from './table.js';

export interface ReloadCommandOptions extends ApiOptions {
  /** Name of a server or link, whose script alone is meant; undefined: the configuration and all scripts. */
  readonly server?: string;
  readonly dryRun?: boolean;
  readonly force?: true;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  reloaded: 'runs the saved script',
  unchanged: 'nothing was saved',
  refused: 'refused, the old script goes on',
};

/** Digits of a hash that are shown. */
const HASH_DIGITS = 12;

const EFFECTS: Readonly<Record<string, (dryRun: boolean) => string>> = {
  add: (dryRun) => (dryRun ? 'is added' : 'was added'),
  remove: (dryRun) => (dryRun ? 'is removed' : 'was removed'),
  replace: (dryRun) => (dryRun ? 'is replaced, its connections end' : 'was replaced'),
  change: (dryRun) => (dryRun ? 'changes, connections stay' : 'changed'),
  restart: () => 'takes a restart',
};

/** Reloads and prints what became of it; the exit code says whether anything was refused. */
export async function reload(client: ApiClient, options: ReloadCommandOptions): Promise<number> {
  if (options.server === undefined) await reloadConfig(client, options);
  return options.dryRun ? EXIT.done : reloadScripts(client, options);
}

/** Throws ApiRefusal when the configuration cannot be used: then everything goes on as before. */
async function reloadConfig(
  client: ApiClient,
  { dryRun = false, json }: ReloadCommandOptions,
): Promise<void> {
  let changes: Record<string, unknown>[];
  try {
    changes = rowsOf((await client.create('/v1/config/reload', { dry_run: dryRun })).changes);
  } catch (error) {
    // An embedding program has no file.
    if (error instanceof ApiRefusal && error.code === 'not_found' && !dryRun) return;
    throw error;
  }
  for (const { path, effect, settings } of changes) {
    if (json) printJson({ path, effect, settings });
    else {
      const which = Array.isArray(settings) ? ` (${settings.join(', ')})` : '';
      print(printable(`${textOf(path)} ${EFFECTS[textOf(effect)]?.(dryRun) ?? textOf(effect)}${which}`));
    }
  }
  if (changes.length === 0 && !json) print('configuration: nothing changed');
}

async function reloadScripts(
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
