/** Routes by which the process is replaced by a new one, its connections kept, as `moonwire restart` does. */

import * as v from 'valibot';
import { Failure } from '../errors.js';
import { type Route, route } from './route.js';

const restartStatus = v.object({
  pid: v.number(),
  underWay: v.boolean(),
  failure: v.optional(v.string()),
  arrived: v.optional(
    v.object({ clients: v.number(), listeners: v.number(), closed: v.record(v.string(), v.number()) }),
  ),
});
const NOT_HERE = new Failure(
  'invalid_argument: only an engine that runs as a service can be restarted with its connections kept, not a centre',
);

export const RESTART_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/restart',
    needs: 'write',
    summary:
      'Begins to replace this process by a new one that takes its connections over. It may fail, which then changes ' +
      'nothing; GET tells, and is answered by the new process once that runs.',
    answer: restartStatus,
    audit: { action: 'restart', target: () => 'process' },
    run: async ({ host: { restart } }) => {
      if (!restart) return NOT_HERE;
      if (!restart.begin()) return new Failure('conflict: a restart is under way already');
      return { json: restart.status };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/restart',
    needs: 'read',
    summary: 'Which process answers, whether it is being replaced, and what it took over when it began.',
    answer: restartStatus,
    run: async ({ host: { restart } }) => (restart ? { json: restart.status } : NOT_HERE),
  }),
];
