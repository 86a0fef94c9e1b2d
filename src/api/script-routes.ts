/** Routes that show what scripts run and let saved ones take over. */

import * as v from 'valibot';
import type { ReloadResult } from '../engine/reload/reload.js';
import type { RunningScript } from '../engine/reload/scripts.js';
import { Failure } from '../errors.js';
import { fields, text } from './check.js';
import { type Route, route } from './route.js';

const NO_SCRIPTS = new Failure('invalid_argument: only engines run scripts');
const hash = v.pipe(v.string(), v.description('SHA-256, hex.'));
const seconds = v.pipe(v.number(), v.description('Unix seconds.'));

const reloadInfo = v.object({
  server: v.pipe(v.string(), v.description('Name of the server or link.')),
  outcome: v.pipe(
    v.picklist(['reloaded', 'unchanged', 'refused', 'switched_back']),
    v.description('After refused and switched_back the old code runs.'),
  ),
  reason: v.optional(v.string()),
  at: seconds,
  changed: v.array(v.object({ file: v.string(), from: v.optional(hash), to: v.optional(hash) })),
});
/** What became of a reload, as the API shows it. */
export type ReloadInfo = v.InferOutput<typeof reloadInfo>;

const scriptInfo = v.object({
  server: v.pipe(v.string(), v.description('Name of the server or link.')),
  entry: v.string(),
  since: v.pipe(v.number(), v.description('Unix seconds when this code took over.')),
  files: v.array(v.object({ file: v.string(), hash })),
  not_compiled: v.pipe(v.optional(v.string()), v.description('Why its protocol is interpreted.')),
  probation: v.pipe(v.boolean(), v.description('A burst of errors puts the code before it in charge again.')),
  former: v.pipe(v.number(), v.description('Older programs that still have something under way.')),
  last_reload: v.optional(reloadInfo),
});

function reloadOf({ station, ...rest }: ReloadResult): ReloadInfo {
  return { server: station, ...rest, changed: [...rest.changed] };
}

function infoOf(script: RunningScript): v.InferOutput<typeof scriptInfo> {
  return {
    server: script.station,
    entry: script.entry,
    since: script.since,
    files: [...script.files],
    not_compiled: script.notCompiled,
    probation: script.onProbation,
    former: script.former,
    last_reload: script.last && reloadOf(script.last),
  };
}

export const SCRIPT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/scripts',
    needs: 'read',
    summary: 'The scripts that run: their files with hashes, and what became of the last reload.',
    answer: v.object({ scripts: v.array(scriptInfo) }),
    run: async ({ host }) =>
      host.scripts ? { json: { scripts: (await host.scripts.list()).map(infoOf) } } : NO_SCRIPTS,
  }),
  route({
    method: 'POST',
    path: '/v1/scripts/reload',
    needs: 'write',
    summary:
      'Lets saved scripts take over from those that run, each server and link by itself; `server` names one of them. ' +
      '`force`: without a trial on the frames that came last, and though nothing was saved.',
    body: fields({ server: v.optional(text(1, 256)), force: v.optional(v.boolean()) }),
    answer: v.object({ reloads: v.array(reloadInfo) }),
    audit: { action: 'reload', target: ({ body }) => body.server ?? 'all scripts' },
    run: async ({ host }, { body: { server, force } }) => {
      const results = await (host.scripts?.reload(server, { force, untried: force }) ?? NO_SCRIPTS);
      return results instanceof Failure ? results : { json: { reloads: results.map(reloadOf) } };
    },
  }),
];
